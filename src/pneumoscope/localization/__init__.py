"""Heat maps measured against reference regions, lung fields and uninformed maps."""

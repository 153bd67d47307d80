"""DICOMweb (DICOM PS3.18): films from another server, and a small server over the films that are open.

`origin_server.OriginServer` searches (QIDO-RS) and retrieves (WADO-RS) radiographs of a server that the user named.
`routes.routes` answers QIDO-RS, WADO-RS and STOW-RS over the films of this process.
"""

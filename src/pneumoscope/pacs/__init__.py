"""A DICOM node beside a PACS: it receives radiographs, has them read, and sends the results as DICOM objects.

Three processes meet only in the ledger (a database) and in the spool (a folder): one receives, one works, one sends.
"""

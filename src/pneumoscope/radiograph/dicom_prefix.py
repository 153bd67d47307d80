"""Recognise DICOM by its first bytes, without pydicom, which takes long to import."""

_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT".split())


def looks_like_dicom(content: bytes) -> bool:
    """Whether bytes begin as DICOM does.

    Parameters
    ----------
    content : bytes
        The first bytes of a file, at least 132 where it has as many.

    Returns
    -------
    bool
        True after the prefix of PS3.10 7.1, and where the preamble is missing and the first element is one of group 0002 or
        0008 with an explicit VR or an implicit length.
    """
    if content[128:132] == b"DICM":
        return True
    group, element, vr = content[:2], content[2:4], content[4:6]
    if group == b"\x00\x08":
        return vr in _VRS
    if group not in (b"\x02\x00", b"\x08\x00") or len(content) < 8 or element[1] > 1:
        return False
    return vr in _VRS or int.from_bytes(content[4:8], "little") < 2**10

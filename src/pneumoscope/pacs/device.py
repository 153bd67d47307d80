"""Name the device that made an image, by a pseudonym."""

import io

from pydicom import dcmread

from pneumoscope.pacs.pseudonym import pseudonym

_SERIAL = "DeviceSerialNumber"
_STATED = (_SERIAL, "Manufacturer", "ManufacturerModelName")


def device_of(content: bytes, salt: str) -> str:
    """Name the device that made an image.

    Parameters
    ----------
    content : bytes
        A DICOM file.
    salt : str
        Secret of the site.

    Returns
    -------
    str
        Pseudonym of Device Serial Number (0018,1000), Manufacturer (0008,0070) and Manufacturer's Model Name (0008,1090); empty
        where the file does not state a serial number.
    """
    try:
        header = dcmread(io.BytesIO(content), stop_before_pixels=True, force=True, specific_tags=list(_STATED))
        values = {name: str(header.get(name) or "").strip(" \0") for name in _STATED}
    except Exception:  # pydicom names no errors of its own; an image without a readable device is read all the same
        return ""
    return pseudonym(salt, "\n".join(values.values())) if values[_SERIAL] else ""


def device_or_sender(device: str, sender: str, salt: str) -> str:
    """Name the device of an image, or its sender where the file does not state the device.

    Parameters
    ----------
    device : str
        Pseudonym of the device, or empty.
    sender : str
        AE title, or name of the service, that the image came from.
    salt : str
        Secret of the site.

    Returns
    -------
    str
        A pseudonym.
    """
    return device or pseudonym(salt, sender)

"""Name UIDs and patients in logs, pages and reports without saying who they are."""

import hmac

_DIGITS = 12


def pseudonym(site_salt: str, value: str) -> str:
    """Replace an identifier by a keyed hash: the same for the same identifier at one site, and different at every other site.

    Parameters
    ----------
    site_salt : str
        Secret of the site.
    value : str
        The identifier, such as a SOP Instance UID.

    Returns
    -------
    str
        The first 12 hexadecimal digits of HMAC-SHA-256.
    """
    return hmac.digest(site_salt.encode(), value.encode(), "sha256").hex()[:_DIGITS]

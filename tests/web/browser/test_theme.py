"""The colours of both themes: text and controls can be told from their surfaces (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re

import pytest

SURFACES = ("surface", "surface-raised", "surface-sunken")
TEXTS = ("text", "text-muted", "danger", "warning", "success", "accent")
CONTROLS = ("border-control", "focus")


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, WCAG 2.2."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_of_black_and_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def colours_of(page, theme):
    """The colours of a theme as the browser computes them, #rrggbb."""
    page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    read = """name => {
        const probe = document.body.appendChild(document.createElement("i"));
        probe.style.color = `var(--${name})`;
        const { color } = getComputedStyle(probe);
        probe.remove();
        return color;
    }"""
    computed = {name: page.evaluate(read, name) for name in (*SURFACES, *TEXTS, *CONTROLS, "accent-text")}
    return {name: "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", rgb)) for name, rgb in computed.items()}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_theme_of_the_system_is_that_theme(desktop, site, theme):
    desktop.goto(f"{site.url}/pages/blank.html")
    desktop.emulate_media(color_scheme=theme)
    assert colours_of(desktop, "system") == colours_of(desktop, theme)
    assert colours_of(desktop, "dark") != colours_of(desktop, "light")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_and_controls_stand_out_from_every_surface(desktop, site, theme):
    desktop.goto(f"{site.url}/pages/blank.html")
    colours = colours_of(desktop, theme)
    assert all(len(colour) == 7 for colour in colours.values())
    for surface in SURFACES:
        assert {name for name in TEXTS if contrast(colours[name], colours[surface]) < 4.5} == set()
        assert {name for name in CONTROLS if contrast(colours[name], colours[surface]) < 3} == set()
    assert contrast(colours["accent-text"], colours["accent"]) >= 4.5

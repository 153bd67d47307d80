"""The checks that the other browser tests rest on can fail."""


def test_an_error_on_the_console_and_a_request_to_another_host_are_noticed(desktop, site, problems):
    desktop.goto(f"{site.url}/pages/blank.html")
    desktop.evaluate("console.error('something broke')")
    desktop.evaluate("fetch('https://example.invalid/x').catch(() => 0)")
    assert problems[0] == "something broke"
    assert any("example.invalid" in line for line in problems)
    problems.clear()


def test_a_control_without_a_name_and_faint_text_are_violations(desktop, site, axe):
    desktop.goto(f"{site.url}/pages/blank.html")
    assert axe(desktop) == []
    desktop.evaluate("document.querySelector('main').append(document.createElement('button'))")
    desktop.evaluate("document.querySelector('h1').style.color = '#444'")
    assert sorted(line.split(":")[0] for line in axe(desktop)) == ["button-name", "color-contrast"]


def test_chromium_draws_webgl2_and_the_phone_has_touch(desktop, phone, site):
    desktop.goto(f"{site.url}/pages/blank.html")
    assert desktop.evaluate("Boolean(document.createElement('canvas').getContext('webgl2'))")
    phone.goto(f"{site.url}/pages/blank.html")
    assert phone.evaluate("[navigator.maxTouchPoints > 0, innerWidth, matchMedia('(pointer: coarse)').matches]") == [
        True,
        390,
        True,
    ]

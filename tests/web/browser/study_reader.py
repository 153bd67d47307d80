"""A reader at the page of a study, who uses keyboard, mouse or fingers."""

from contextlib import contextmanager


class ReaderPage:
    """Wraps a Playwright page; every wait is for something that the page shows."""

    def __init__(self, page, server, name="R1"):
        self.page, self.server, self.name = page, server, name

    def sign_in(self):
        self.page.goto(self.server.links[self.name])
        self.page.locator("h1:visible").wait_for()
        return self

    def begin(self):
        """Answer the display check, read the introduction, wait for the first case."""
        self.sign_in()
        for box in self.page.get_by_role("checkbox").all():
            box.check()
        self.page.get_by_role("button", name="Continue").click()
        self.page.get_by_role("button", name="Begin").click()
        self.ready()
        return self

    def ready(self):
        """Wait until a case is on the screen and everything is saved."""
        self.page.wait_for_function(
            """() => {
              const seen = id => !document.getElementById(id).hidden;
              return seen('screen-reading') && !seen('loading') && !document.getElementById('answer').inert
                && document.getElementById('save-state').dataset.state === 'saved';
            }"""
        )

    def saved(self):
        self.page.locator("#save-state[data-state=saved]").wait_for()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def state(self):
        return self.page.locator("#save-state").inner_text()

    def rating(self):
        return self.page.locator(".rating-value").inner_text()

    def progress(self):
        return self.page.locator("#progress-text").inner_text()

    def marks(self):
        return self.page.locator(".mark-list li").count()

    def view(self):
        return self.page.evaluate("document.getElementById('viewport').view")

    def at(self, across, down):
        """A point of the radiograph's frame, as shares of its width and height."""
        box = self.page.locator("#frame").bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]

    def drag(self, start, end):
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=4)
        self.page.mouse.up()

    def lock(self):
        """Press Enter and wait for the receipt: the case or its step has changed."""
        with self.page.expect_response(lambda response: response.url.endswith("/lock")) as response:
            self.press("Enter")
        assert response.value.status == 200, response.value.text()

    def answer(self, rating, *, mark=False):
        """Answer the case by keyboard alone."""
        self.press(*str(rating), "y" if rating >= 50 else "n")
        if mark:
            self.press("m", "Shift+ArrowRight", "3", "Escape")
        else:
            self.press("x")
        self.lock()

    def show_feedback_and_go_on(self):
        self.page.get_by_role("heading", name="Reference standard").wait_for()
        self.press("Enter")

    @contextmanager
    def pressed(self, key):
        self.page.keyboard.down(key)
        yield
        self.page.keyboard.up(key)

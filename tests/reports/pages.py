"""Take a page of readings apart."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    source: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self):
        super().__init__()
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


def assert_self_contained(source: str) -> None:
    """Nothing is loaded from elsewhere, and it says what it is not."""
    page = Page(source)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base"}
    assert all(src.startswith("data:") for src in page.all("src"))
    assert all(href.startswith("#") for href in page.all("href"))
    assert not page.all("srcset")
    assert "http:" not in source
    assert "url(" not in source
    assert "@import" not in source
    assert "not a medical device" in page.text

"""The page about the feeds is the contract's."""

from qa_pipeline import feeds_page
from qa_pipeline.settings import project_root


def test_the_page_is_up_to_date() -> None:
    """Stops the contract from changing without the page that people deliver by."""
    assert (project_root() / "docs" / "feeds.md").read_text(encoding="utf-8") == feeds_page.markdown()

"""The pages of a reader study and the HTTP interface behind them."""

from pneumoscope.web.study.app import study_app

__all__ = ["study_app"]

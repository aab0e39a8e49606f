from tests.cli.conftest import router

__all__ = ["router"]

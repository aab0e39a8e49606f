from tests.cli.conftest import inputs, workplace

__all__ = ["inputs", "workplace"]

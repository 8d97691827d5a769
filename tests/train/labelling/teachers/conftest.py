from tests.deploy.foreign_files import make_file

__all__ = ["make_file"]

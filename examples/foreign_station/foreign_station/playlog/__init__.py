"""The SQL of the station's own tables, laid out as the catalogue's is: migrations, rules and views."""

from retrovue_uow import Extension

PLAYLOG = Extension("playlog", __name__)

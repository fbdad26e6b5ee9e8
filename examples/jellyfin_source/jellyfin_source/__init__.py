"""How an importer of a Jellyfin server would look; never tried against one."""

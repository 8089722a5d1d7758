"""The views in Redis: who writes them, who reads them, their keys."""

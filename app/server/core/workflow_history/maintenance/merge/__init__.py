"""Bring another history's runs into this one."""

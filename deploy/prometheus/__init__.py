"""Objectives, rules and their tests."""

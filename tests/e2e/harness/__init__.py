"""Shared by the e2e tests: real parts, our services as processes, receivers that compare."""

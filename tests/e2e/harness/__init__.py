"""What the e2e tests share: real parts, our services as processes, receivers that compare."""

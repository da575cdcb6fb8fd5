//! A simulated federation that speaks the real HTTP APIs, and a development-only issuer.

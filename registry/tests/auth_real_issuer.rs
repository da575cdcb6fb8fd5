//! Tokens of a real issuer.

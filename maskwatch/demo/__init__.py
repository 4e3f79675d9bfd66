"""Virtual cameras for people without one: a public-domain photograph walks through drawn rooms."""

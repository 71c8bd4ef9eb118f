// Money as whole cents in a BigInt: a float cannot hold 0.10, and a total can have 17 digits.

/** Parse a price as the server accepts it ("32", "32.5", "32.00"); return cents, or null for anything else. */
export function parsePrice(text) {
  const cents = /^[0-9]{1,10}(\.[0-9]{1,2})?$/.test(text) ? parseCents(text) : 0n;
  return cents > 0n ? cents : null;
}

/** Parse a quantity as the server accepts it; return null for anything else. */
export function parseQuantity(text) {
  const number = /^[0-9]{1,9}$/.test(text) ? BigInt(text) : 0n;
  return number >= 1n && number <= 10000n ? number : null;
}

/** Parse an amount as the server sends it ("1234.50"); return cents. */
export function parseCents(text) {
  const [whole, decimals = ""] = text.split(".");
  return BigInt(whole) * 100n + BigInt(decimals.padEnd(2, "0"));
}

/** Format cents for people: "1,234.50". */
export function formatCents(cents) {
  return `${(cents / 100n).toLocaleString("en")}.${String(cents % 100n).padStart(2, "0")}`;
}

// Money as whole cents in a BigInt: a float cannot hold 0.10, and a total can have 17 digits.

/** A price as the server takes it ("32", "32.5", "32.00"), in cents; null for anything else. */
export function price(text) {
  const cents = /^[0-9]{1,10}(\.[0-9]{1,2})?$/.test(text) ? amount(text) : 0n;
  return cents > 0n ? cents : null;
}

/** A quantity as the server takes it; null for anything else. */
export function quantity(text) {
  const number = /^[0-9]{1,9}$/.test(text) ? BigInt(text) : 0n;
  return number >= 1n && number <= 10000n ? number : null;
}

/** "1234.50" in cents. */
export function amount(text) {
  const [whole, decimals = ""] = text.split(".");
  return BigInt(whole) * 100n + BigInt(decimals.padEnd(2, "0"));
}

/** Cents as people read them: "1,234.50". */
export function shown(cents) {
  return `${(cents / 100n).toLocaleString("en")}.${String(cents % 100n).padStart(2, "0")}`;
}

// Signs an event of Polar's with the official library of Standard Webhooks, by each of the two keys that a secret stands
// for, and prints what would be sent. tests/e2e/webhooks.rs posts that to the built component.

import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const [secret, signedAt] = process.argv.slice(2);
const fixture = new URL(
  "../../../crates/polar/tests/fixtures/subscription.active.json",
  import.meta.url,
);
const event = JSON.parse(readFileSync(fixture, "utf8"));
// What a byte count and a character count would tell apart.
event.data.customer.name = "Zoë Šimůnková 🎙";
const body = JSON.stringify(event);

const signers = {
  // Polar's own way until September 2026: the secret's text is the key.
  text: new Webhook(Buffer.from(secret, "utf8").toString("base64")),
  // The standard's way: the base64 after `whsec_` is.
  base64: new Webhook(secret),
};
const sent = Object.entries(signers).map(([by, signer]) => {
  const id = crypto.randomUUID();
  const at = new Date(signedAt);
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": signer.sign(id, at, body),
  };
  return { by, headers, body };
});
console.log(JSON.stringify(sent));

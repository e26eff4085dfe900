import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJsonObject } from '@causeway/testkit/matrix/arbitraries.ts'
import { makeSigner, sha256, verifySignature } from '@causeway/testkit/matrix/ed25519.ts'
import { contentHash } from '../events/content-hash.ts'
import type { JsonObject, Pdu, Signatures } from '../events/pdu.ts'
import { findRoomVersion } from '../room-versions/rules.ts'
import { decodeBase64, encodeBase64, toBase64url, toStandardBase64 } from './base64.ts'
import base64 from './fixtures/base64.json' with { type: 'json' }
import fixture from './fixtures/signing.json' with { type: 'json' }
import { signEvent, signJson } from './sign-json.ts'
import { verifyJson } from './verify-json.ts'

const signer = makeSigner(fixture.serverName, fixture.keyId, fixture.seed)
const v1 = findRoomVersion('1')!
const findKey = (keyId: string): string | undefined => (keyId === signer.keyId ? signer.publicKey : undefined)

for (const [plain, encoded] of base64.examples as [string, string][]) {
  test(`the specification's base64 of "${plain}" is "${encoded}", and is read with padding too`, () => {
    assert.equal(encodeBase64(Buffer.from(plain)), encoded)
    const padded = encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=')
    for (const text of [encoded, padded]) assert.equal(Buffer.from(decodeBase64(text)!).toString(), plain)
  })
}

test('what is no base64 has no bytes', () => {
  for (const text of ['a', 'a b=', 'a-b_', '====', 'Zg=a', 'é', 'Zm9v\n'])
    assert.equal(decodeBase64(text), undefined, text)
  assert.equal(toStandardBase64('a-b_'), 'a+b/')
  assert.equal(toBase64url('a+b/'), 'a-b_')
})

for (const { input, signed } of fixture.json as { input: JsonObject; signed: JsonObject }[]) {
  test(`the specification's object ${JSON.stringify(input)} gets the signature as printed`, () => {
    assert.deepEqual(signJson(input, signer), signed)
    assert.deepEqual(verifyJson(signed, 'domain', findKey, verifySignature), { ok: true })
  })
}

for (const { input, signed } of fixture.events as unknown as { input: Pdu; signed: Pdu }[]) {
  test(`the specification's ${input.type} event gets hash and signature as printed`, () => {
    const hashed = { ...input, hashes: { sha256: contentHash(v1, input, sha256) } }
    assert.deepEqual(signEvent(v1, hashed, signer), signed)
  })
}

test('a signature covers everything but signatures and unsigned', () => {
  fc.assert(
    fc.property(anyJsonObject, anyJsonObject, (object, unsigned) => {
      const signed = signJson(object, signer)
      assert.ok(verifyJson({ ...signed, unsigned }, 'domain', findKey, verifySignature).ok)
      const forged = { ...signed, 'not there before': 1 }
      assert.equal(verifyJson(forged, 'domain', findKey, verifySignature).ok, false)
    }),
    { numRuns: 25 },
  )
})

test('signing keeps the signatures of others and of our other keys', () => {
  const signatures: Signatures = { other: { 'ed25519:x': 'AA' }, domain: { 'ed25519:0': 'AA' } }
  const signed = signJson({ a: 1, signatures }, signer)
  assert.deepEqual(Object.keys(signed.signatures['domain']!), ['ed25519:0', 'ed25519:1'])
  assert.deepEqual(signed.signatures['other'], { 'ed25519:x': 'AA' })
  assert.deepEqual(Object.keys(signatures['domain']!), ['ed25519:0'])
})

test('an object is not signed by who has no signature on it, none by a known key, or a broken one', () => {
  const good = signJson({ a: 1 }, signer)
  const wrong = (signatures: unknown, entity = 'domain'): void =>
    assert.equal(verifyJson({ ...good, signatures }, entity, findKey, verifySignature).ok, false)
  const signature = good.signatures['domain']!['ed25519:1']!
  wrong(good.signatures, 'other')
  wrong(undefined)
  wrong([])
  wrong({ domain: null })
  wrong({ domain: {} })
  wrong({ domain: { 'ed25519:2': signature } })
  wrong({ domain: { 'rot13:1': signature } })
  wrong({ domain: { 'ed25519:1': 7 } })
  wrong({ domain: { 'ed25519:1': `${signature}A` } })
  wrong({ domain: { 'ed25519:1': signature.slice(0, -2) } })
  wrong({ domain: { 'ed25519:1': toBase64url(signature) } })
  wrong({}, 'constructor')
  wrong({}, '__proto__')
})

test('one wrong signature by a known key is enough to refuse, and unknown keys do not matter', () => {
  const good = signJson({ a: 1 }, signer).signatures['domain']!
  const second = makeSigner('domain', 'ed25519:2', 'A'.repeat(43))
  const bothKnown = (keyId: string): string | undefined =>
    keyId === 'ed25519:2' ? second.publicKey : findKey(keyId)
  const signatures = { domain: { ...good, 'ed25519:2': good['ed25519:1'] } }
  assert.ok(verifyJson({ a: 1, signatures }, 'domain', findKey, verifySignature).ok)
  assert.equal(verifyJson({ a: 1, signatures }, 'domain', bothKnown, verifySignature).ok, false)
})

test('an object without canonical form is unsigned, and no fault', () => {
  assert.equal(verifyJson({ a: 1.5, signatures: {} }, 'domain', findKey, verifySignature).ok, false)
})

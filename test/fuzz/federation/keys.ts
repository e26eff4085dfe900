import fc from 'fast-check'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'
import { draftEvent } from './evil-room.ts'
import { signerOf, type EvilAnswer } from './evil-server.ts'
import { endless, redirect } from './manners.ts'
import { mutate, mutations } from './odd.ts'
import { KEY_HOSTS, type World } from './world.ts'

/** What a server says of its keys, so that nothing it signed may be believed. */
function badDocuments(world: World, name: string): Record<string, EvilAnswer> {
  const good = world.evil.keyDocument(name)
  const signer = signerOf(name)
  const signed = (change: JsonObject): EvilAnswer => ({
    json: signJson({ ...good, signatures: {}, ...change }, signer),
  })
  const wrong = makeSigner(name, signer.keyId, Buffer.alloc(32, 9).toString('base64'))
  const many = Object.fromEntries(
    Array.from({ length: 500 }, (_, i) => [`ed25519:k${i}`, { key: signer.publicKey }]),
  )
  return {
    'of another server': signed({ server_name: 'honest.test' }),
    'of nobody': signed({ server_name: null }),
    expired: signed({ valid_until_ts: 1 }),
    'of all times': signed({ valid_until_ts: Number.MAX_SAFE_INTEGER }),
    'with a time of text': signed({ valid_until_ts: '4000000000000' }),
    'signed by another key': { json: signJson({ ...good, signatures: {} }, wrong) },
    'without a signature': { json: { ...good, signatures: {} } },
    'with short keys': signed({ verify_keys: { [signer.keyId]: { key: 'AAAA' } } }),
    'with keys of no kind': signed({ verify_keys: { x: { key: signer.publicKey }, 'ed25519:': null } }),
    'with keys as a list': signed({ verify_keys: [signer.publicKey] }),
    'only old ones': signed({
      verify_keys: {},
      old_verify_keys: { [signer.keyId]: { key: signer.publicKey, expired_ts: 5 } },
    }),
    'five hundred of them, the right one last': signed({
      verify_keys: { ...many, [signer.keyId]: { key: signer.publicKey } },
    }),
    huge: { json: { ...good, x: 'x'.repeat(200_000) } },
    endless: endless('{"server_name":"'),
    empty: { text: '' },
    'no JSON': { text: '<html>' },
    'broken UTF-8': { raw: (response) => response.end(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])) },
    redirected: redirect(`https://127.0.0.2:${world.evil.port}/_matrix/key/v2/server`),
    'an error': { json: { errcode: 'M_UNKNOWN', error: 'x'.repeat(50_000) }, status: 500 },
    'a broken connection': { raw: (_response, request) => void request.socket.destroy() },
    'half an answer': {
      raw: (response, request) => {
        response.writeHead(200, { 'content-length': '5000' })
        response.write('{"server_name":')
        setImmediate(() => request.socket.destroy())
      },
    },
    compressed: { text: JSON.stringify(good), headers: { 'content-encoding': 'gzip' } },
  }
}

/** Odd, and yet signed by whoever they are of: a time beyond reason counts for a week, and nobody asked for gzip. */
const MAY_BE_BELIEVED: ReadonlySet<string> = new Set([
  'of all times',
  'compressed',
  'five hundred of them, the right one last',
])

let hosts = 0

/** A name of which nothing is known yet, which shows these keys. */
function newHost(world: World, keys: (name: string) => EvilAnswer): string {
  const name = `${KEY_HOSTS[hosts++ % KEY_HOSTS.length]!}:${world.evil.port}`
  const before = world.evil.keys
  world.evil.keys = (host, asked) => (host === name ? keys(name) : before(host, asked))
  return name
}

/** Requests signed by servers whose own keys are not to be believed, nor what the notary says of them. */
export async function signWithBadKeys(world: World, seed: number): Promise<void> {
  const { evil, ours } = world
  const honest = evil.keys
  const names = Object.keys(badDocuments(world, 'x'))
  const twisted = fc.sample(mutations, { seed, numRuns: 12 })
  const cases: [string, (name: string) => EvilAnswer][] = [
    ...names.map((what): [string, (name: string) => EvilAnswer] => [
      what,
      (name) => badDocuments(world, name)[what],
    ]),
    ...twisted.map((changes, at): [string, (name: string) => EvilAnswer] => [
      `twisted ${at}`,
      (name) => {
        const document = mutate(evil.keyDocument(name), changes) as JsonObject
        return { json: at % 2 === 0 ? document : signAgain(document, name) }
      },
    ]),
  ]
  await Promise.all(
    cases.map(async ([what, keys]) => {
      const name = newHost(world, keys)
      const text = '{"pdus":[],"edus":[]}'
      const sent = evil.send(ours, 'PUT', '/_matrix/federation/v1/send/keys', text, {
        origin: signerOf(name),
      })
      const reply = await sent.catch((error: unknown) => ({ status: 0, text: String(error) }))
      world.judge(`keys ${what}`, reply)
      if (reply.status === 0) world.faults.push(`keys ${what}: no answer: ${reply.text}`)
      if (names.includes(what) && !MAY_BE_BELIEVED.has(what) && reply.status < 400)
        world.faults.push(`keys ${what} were believed`)
    }),
  )
  evil.keys = honest
}

function signAgain(document: JsonObject, name: string): JsonObject {
  try {
    return signJson({ ...document, signatures: {} }, signerOf(name))
  } catch {
    return document
  }
}

/** The notary of the configuration turned bad: what it says of others is not theirs, or nothing at all. */
export async function askBadNotary(world: World, seed: number): Promise<void> {
  const { evil } = world
  const honest = evil.keys
  const changes = fc.sample(mutations, { seed, numRuns: 12 })
  for (const change of changes) {
    const name = newHost(world, () => undefined)
    const before = evil.keys
    evil.keys = (host, asked) => {
      if (!asked.path.endsWith('/query')) return before(host, asked)
      const notary = signerOf(host)
      const documents = [name, 'honest.test', name].map((one) => signJson(evil.keyDocument(one), notary))
      return { json: mutate({ server_keys: documents }, change) }
    }
    const room = world.rooms[2]!
    const other = {
      ...room,
      signer: signerOf(name),
      user: room.user.replace(evil.name, name) as typeof room.user,
    }
    const event = draftEvent(other, { type: 'm.room.message', content: { body: 'x' } })
    await world.attack(
      'an event of whom only a bad notary knows',
      'PUT',
      `/_matrix/federation/v1/send/notary${hosts}`,
      JSON.stringify({ pdus: [event.pdu] }),
    )
    // And our own notary is asked for such a server, by anybody.
    await world.attack('our notary', 'GET', `/_matrix/key/v2/query/${encodeURIComponent(name)}`)
    evil.keys = before
  }
  evil.keys = honest
}

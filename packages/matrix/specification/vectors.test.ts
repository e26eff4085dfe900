import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { findRoomVersion } from '../room-versions/rules.ts'
import printed from './printed.json' with { type: 'json' }

// `printed.json` lists all that the specification's pages about the protocol core print as an example or a test
// vector (scripts/spec-vectors.ts makes it). Each has to stand in a fixture, which a test beside it runs, or be named
// below with the reason why it is none. The list of reasons holds nothing that is not printed.

const ROOT = path.join(import.meta.dirname, '../..')
const FIXTURES = ['matrix/*/fixtures/*.json', 'bridges/formatting/fixtures/*.json']

const GRAMMAR = 'a grammar or a form, which ids.test.ts and canonical.test.ts hold by rule and not by text'
const CODE = 'program text'
const NAME = 'the name of a field, type, operation or character in a sentence that explains'
const NONE_HERE = 'nothing of ours reads or writes it'
const APART: Readonly<Record<string, readonly string[]>> = {
  [GRAMMAR]: [
    ...['server_name = ', '&string', '&localpart:domain', '@localpart:domain', 'user_id = ', '!opaque_id'],
    ...[
      '!opaque_id:domain',
      '#room_alias:domain',
      '$opaque_id',
      '$opaque_id:domain',
      '$randomstring:example.org',
    ],
    ...[
      'MatrixURI = ',
      'matrix:[//{authority}',
      'https://matrix.to/#/<identifier>',
      'room_version = ',
      'value     = ',
    ],
    ...['[a-z]', '[0-9]', 'A-Z', 'Value Encoding  ', '&localpart'],
  ],
  [CODE]: ['import json', 'def sign_json('],
  [NAME]: [
    ...[
      '-',
      '_',
      '.',
      ':',
      '!',
      '+',
      'm.',
      'domain',
      '/register',
      'id without sigil',
      'action',
      'action=join',
    ],
    ...[
      'action=chat',
      'via',
      'authority',
      'medium',
      'address',
      'body',
      'content',
      '/delete_devices',
      '/messages',
    ],
    ...[
      'prev_batch',
      'from',
      'sender',
      'events',
      'notifications',
      'users',
      'm.room.power_levels',
      'M_BAD_JSON',
    ],
    ...['/send', '/send/{eventType}', 'join_authorised_via_users_server', '50', '$event'],
  ],
  [NONE_HERE]: [
    // Third-party identifiers: there is no identity server here, and no account is found by an address.
    ...['bob@example.com', 'bob@Example.com', 'Strauß@Example.com', 'strauss@example.com'],
    // What a client shows.
    'This room is:',
    // How identifiers of others are to be named.
    'com.example.identifier',
  ],
  'no room version of ours (held below)': ['1.2', '1.2-beta', 'com.example.version'],
  'an illustration: the signature is not of the key beside it': ['{\n   "name": "example.org"'],
}

/** A value, with the keys and values inside of it. */
function* valuesIn(value: unknown): Generator<unknown> {
  yield value
  if (typeof value !== 'object' || value === null) return
  for (const [key, one] of Object.entries(value)) {
    yield key
    yield* valuesIn(one)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const held = [
  ...new Set(
    globSync(FIXTURES, { cwd: ROOT }).flatMap((file) => [
      ...valuesIn(JSON.parse(readFileSync(path.join(ROOT, file), 'utf8'))),
    ]),
  ),
]
const texts = new Set(held.filter((value) => typeof value === 'string'))
const objects = held.filter((value) => typeof value === 'object' && value !== null)

function isHeld(text: string): boolean {
  if (texts.has(text)) return true
  const value = parseJson(text)
  if (typeof value === 'object' && value !== null) return objects.some((one) => isDeepStrictEqual(one, value))
  // A block of assignments: all values that it gives are held.
  const given = [...text.matchAll(/"([^"]*)"/g)].map((match) => match[1]!)
  const isAssignments = /^[A-Z_0-9]+(\(.*\))? = /.test(text)
  return isAssignments && given.every((one) => texts.has(one))
}

/** The reason why a text is no example of ours: texts of more than a word are named by their beginning. */
function reasonFor(text: string): string | undefined {
  return Object.entries(APART).find(([, starts]) =>
    starts.some((start) => start === text || (start.length > 8 && text.startsWith(start))),
  )?.[0]
}

test('every example and vector that the specification prints is in a fixture, or named with a reason', () => {
  assert.ok(printed.printed.length >= 160)
  const missing = printed.printed
    .filter(({ text }) => !isHeld(text) && reasonFor(text) === undefined)
    .map(({ page, heading, text }) => `${page}, ${heading}: ${text}`)
  assert.deepEqual(missing, [])
})

test('no reason outlives what it was given for', () => {
  const all = printed.printed.map(({ text }) => text)
  const stale = Object.values(APART)
    .flat()
    .filter((start) => !all.some((text) => text === start || (start.length > 8 && text.startsWith(start))))
  assert.deepEqual(stale, [])
})

test('of the example room versions we have the first, and no other', () => {
  assert.deepEqual(
    ['1', '1.2', '1.2-beta', 'com.example.version'].map((version) => findRoomVersion(version)?.version),
    ['1', undefined, undefined, undefined],
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findRoomVersion } from '../room-versions/rules.ts'
import { isDeviceId, parseDeviceId } from './device-id.ts'
import { escapeLocalpart } from './escape-localpart.ts'
import { eventIdServerName, isEventIdOf, parseEventId } from './event-id.ts'
import fixture from './fixtures/ids.json' with { type: 'json' }
import type { ServerName, UserId } from './ids.ts'
import { formatKeyId, isServerKeyId, parseKeyId, splitKeyId } from './key-id.ts'
import { formatMxc, parseMxc, splitMxc } from './mxc.ts'
import { aliasLocalpartOf, aliasServerNameOf, formatRoomAlias, parseRoomAlias } from './room-alias.ts'
import { createEventIdOf, isRoomIdOf, parseRoomId, roomIdOfCreate } from './room-id.ts'
import { isIpServerName, isServerName, parseServerName, splitServerName } from './server-name.ts'
import {
  formatUserId,
  isCompliantUserId,
  isStrictLocalpart,
  localpartOf,
  parseStrictUserId,
  parseUserId,
  serverNameOf,
} from './user-id.ts'

const EXAMPLE = 'example.org' as ServerName
const parsers = [
  parseServerName,
  parseUserId,
  parseStrictUserId,
  parseRoomId,
  parseRoomAlias,
  parseEventId,
  parseMxc,
  parseDeviceId,
  parseKeyId,
]

test('a parser answers the text itself or undefined, whatever it is given', () => {
  const almost = fc
    .tuple(
      fc.constantFrom('@', '!', '#', '$', 'mxc://', 'ed25519:', ''),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(':a.b', ':[::1]', ':', ''),
    )
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(almost, (text) => {
      for (const parse of parsers) assert.ok([text, undefined].includes(parse(text)))
    }),
  )
})

for (const name of fixture.serverNames) {
  test(`${name} is a server name`, () => assert.equal(parseServerName(name), name))
}

test('server names of every kind are told from what only looks like one', () => {
  for (const name of [
    'localhost',
    'a',
    'xn--bcher-kva.example',
    '[::]',
    '[::ffff:1.2.3.4]',
    '[1:2:3:4:5:6:7:8]:1',
    'a:0',
  ]) {
    assert.ok(isServerName(name), name)
  }
  const wrong = [
    '',
    ':8448',
    'a:',
    'a:123456',
    'a:b',
    'a_b',
    'a b',
    'ä.de',
    'a/b',
    'a@b',
    '256.1.1.1',
    '1.2.3.4:x',
  ]
  const wrongIpv6 = [
    '::1',
    '[::1',
    '[]',
    '[:]',
    '[:::]',
    '[1::2::3]',
    '[1:2:3]',
    '[1:2:3:4:5:6:7::8]',
    '[12345::]',
    '[::1.2.3]',
    '[1.2.3.4::]',
    '[::1]x',
    '[::g]',
  ]
  for (const name of [...wrong, ...wrongIpv6, 'a'.repeat(256)]) assert.equal(isServerName(name), false, name)
})

test('a server name splits into host and port', () => {
  assert.deepEqual(splitServerName('matrix.org:8888' as ServerName), { hostname: 'matrix.org', port: 8888 })
  assert.deepEqual(splitServerName('[::1]:80' as ServerName), { hostname: '[::1]', port: 80 })
  assert.deepEqual(splitServerName('[1234:5678::abcd]' as ServerName), {
    hostname: '[1234:5678::abcd]',
    port: undefined,
  })
  assert.ok(isIpServerName('1.2.3.4:1234' as ServerName) && isIpServerName('[::1]' as ServerName))
  assert.equal(isIpServerName('1.2.3.4.example' as ServerName), false)
})

test('user ids of the specification are accepted, and differ by case', () => {
  for (const id of fixture.userIds) assert.equal(parseUserId(id), id)
  for (const id of fixture.strictUserIds) assert.equal(parseStrictUserId(id), id)
  assert.equal(parseStrictUserId('@USER:matrix.org'), undefined)
})

test('historical user ids are accepted from others and never made here', () => {
  for (const id of ['@:example.org', '@Ü\n :example.org', '@\u{1f600}:example.org:8448', '@@:[::1]']) {
    assert.equal(parseUserId(id), id)
    assert.equal(parseStrictUserId(id), undefined)
  }
  for (const id of ['@a', 'a:b', '@a:', '@a\0:b', '@a:b:c', '@\ud800:b', '', '@', '@:'])
    assert.equal(parseUserId(id), undefined, id)
})

test('a user id is shown outside of events only when its localpart is visible ASCII', () => {
  assert.ok(isCompliantUserId('@Alice!:example.org' as UserId))
  for (const id of ['@:example.org', '@é:example.org', '@a b:example.org'])
    assert.equal(isCompliantUserId(id as UserId), false)
})

test('an id may have 255 bytes and not one more, and bytes are not characters', () => {
  const fill = (bytes: number): string => `@${'a'.repeat(bytes - 13)}:example.org`
  assert.ok(parseUserId(fill(255)))
  assert.equal(parseUserId(fill(256)), undefined)
  assert.equal(parseUserId(`@${'é'.repeat(122)}:example.org`), undefined)
  assert.ok(parseUserId(`@${'é'.repeat(121)}:example.org`))
  assert.equal(formatUserId('a'.repeat(243), EXAMPLE), undefined)
})

test('a user id comes apart as it was put together', () => {
  const id = formatUserId('a.b_c=d-e/f+1', 'example.org:8448' as ServerName)!
  assert.equal(localpartOf(id), 'a.b_c=d-e/f+1')
  assert.equal(serverNameOf(id), 'example.org:8448')
  for (const localpart of ['', 'A', 'ä', 'a:b', 'a b', 'a*'])
    assert.equal(formatUserId(localpart, EXAMPLE), undefined)
})

for (const { text, keepCase, localpart } of fixture.localparts) {
  test(`${text} is mapped to the localpart ${localpart}${keepCase ? ' where case matters' : ''}`, () => {
    assert.equal(escapeLocalpart(text, keepCase), localpart)
  })
}

test('any name maps to an allowed localpart, and where case matters two names never share one', () => {
  const name = fc.string({ unit: 'binary', minLength: 1 })
  fc.assert(
    fc.property(name, fc.boolean(), (text, keepCase) =>
      assert.ok(isStrictLocalpart(escapeLocalpart(text, keepCase))),
    ),
  )
  const tricky = fc.string({ unit: fc.constantFrom('A', 'a', '_', '=', '4', '1', 'é') })
  fc.assert(
    fc.property(tricky, tricky, (a, b) =>
      assert.equal(escapeLocalpart(a, true) === escapeLocalpart(b, true), a === b),
    ),
  )
})

test('room ids have a server name up to room version 11 and are a hash from 12 on', () => {
  for (const id of fixture.roomIds) assert.equal(parseRoomId(id), id)
  const [v11, v12] = [findRoomVersion('11')!, findRoomVersion('12')!]
  assert.ok(isRoomIdOf(v11, '!somewhere:example.org') && !isRoomIdOf(v12, '!somewhere:example.org'))
  const hashed = '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ'
  assert.ok(isRoomIdOf(v12, hashed) && !isRoomIdOf(v11, hashed))
  assert.equal(isRoomIdOf(v12, '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQA'), false)
  assert.equal(isRoomIdOf(v12, 1), false)
  for (const id of ['!', '', 'a:b', '!:b', '!a\0:b', '!a:b c', `!${'a'.repeat(255)}`])
    assert.equal(parseRoomId(id), undefined, id)
})

test('a room of version 12 and its create event name each other', () => {
  const eventId = parseEventId('$Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ')!
  assert.equal(roomIdOfCreate(eventId), '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ')
  assert.equal(createEventIdOf(roomIdOfCreate(eventId)), eventId)
})

test('room aliases may hold anything but a colon and NUL', () => {
  for (const alias of [...fixture.roomAliases, '#Käse & 🧀:example.org', '##:a'])
    assert.equal(parseRoomAlias(alias), alias)
  for (const alias of ['#:example.org', '#a', '#a\0:b', 'a:b', '#a:b/c'])
    assert.equal(parseRoomAlias(alias), undefined)
  const alias = formatRoomAlias('käse', EXAMPLE)!
  assert.deepEqual([aliasLocalpartOf(alias), aliasServerNameOf(alias)], ['käse', 'example.org'])
  assert.equal(formatRoomAlias('a:b', EXAMPLE), undefined)
})

test('event ids have the form of their room version', () => {
  for (const [version, ids] of Object.entries(fixture.eventIds)) {
    for (const id of ids) {
      assert.equal(parseEventId(id), id)
      assert.ok(isEventIdOf(findRoomVersion(version)!, id), id)
    }
  }
  assert.equal(isEventIdOf(findRoomVersion('4')!, '$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk'), false)
  assert.equal(isEventIdOf(findRoomVersion('3')!, '$0:domain'), false)
  assert.equal(isEventIdOf(findRoomVersion('1')!, '$0'), false)
  assert.equal(eventIdServerName(parseEventId('$0:domain:8448')!), 'domain:8448')
  assert.equal(eventIdServerName(parseEventId('$abc')!), undefined)
  for (const id of ['$', 'a', '', '$\0', `$${'a'.repeat(255)}`]) assert.equal(parseEventId(id), undefined)
})

test('content URIs lead nowhere but to a server and a plain media id', () => {
  const mxc = formatMxc('example.org:8448' as ServerName, 'aB_-1')!
  assert.deepEqual(splitMxc(mxc), { serverName: 'example.org:8448', mediaId: 'aB_-1' })
  const wrong = [
    'mxc://a',
    'mxc://a/',
    'mxc:///b',
    'mxc://a/b/c',
    'mxc://a/..',
    'mxc://a/%2e',
    'http://a/b',
    'mxc://a b/c',
    'mxc://a/b?c',
  ]
  for (const text of [...fixture.refusedMxcs, ...wrong]) assert.equal(parseMxc(text), undefined, text)
})

test('device ids are opaque, and neither empty nor endless', () => {
  assert.ok(isDeviceId('GHTYAJCE') && isDeviceId('a b/é'))
  for (const id of ['', 'a\0', '\ud800', 'a'.repeat(256), 1]) assert.equal(isDeviceId(id), false)
})

test('key ids name an algorithm and a key', () => {
  assert.deepEqual(splitKeyId(parseKeyId('ed25519:alices+master/key')!), {
    algorithm: 'ed25519',
    name: 'alices+master/key',
  })
  assert.deepEqual(splitKeyId(parseKeyId('curve25519:DEV:ICE')!), {
    algorithm: 'curve25519',
    name: 'DEV:ICE',
  })
  assert.ok(isServerKeyId('ed25519:a_1'))
  for (const id of ['ed25519:a-1', 'ed25519:', 'ed448:a', 'ed25519:a b'])
    assert.equal(isServerKeyId(id), false)
  for (const id of ['ed25519', ':a', 'ed25519:', 'Ed 2:a', '']) assert.equal(parseKeyId(id), undefined)
  assert.equal(formatKeyId('ed25519', 'a_1'), 'ed25519:a_1')
  assert.equal(formatKeyId('ed:25519', 'a_1'), undefined)
})

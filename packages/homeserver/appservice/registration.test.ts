import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { checkAliasClaim, checkUserClaim } from './claims.ts'
import { loadRegistrations } from './load-registrations.ts'
import { parseRegistration, type AppserviceRegistration } from './registration.ts'
import { createRegistry, findAppserviceByToken, isExclusiveRoom, isUserOf } from './registry.ts'

const serverName = 'example.org' as ServerName

function registration(id: string, more: Partial<AppserviceRegistration> = {}): AppserviceRegistration {
  return {
    id,
    url: null,
    as_token: `as-token-of-${id}-0123456789`,
    hs_token: `hs-token-of-${id}-0123456789`,
    sender_localpart: `_${id}_bot`,
    namespaces: {
      users: [{ exclusive: true, regex: `@_${id}_.*` }],
      aliases: [{ exclusive: true, regex: `#_${id}_.*` }],
      rooms: [{ exclusive: true, regex: `!${id}:.*` }],
    },
    ...more,
  }
}

const registryOf = (...all: AppserviceRegistration[]) =>
  createRegistry(
    serverName,
    all.map((one) => parseRegistration(one, serverName, { source: `${one.id}.yaml` })),
  )

test('the registration printed in the specification is read', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'registrations-'))
  try {
    const file = path.join(folder, 'irc.yaml')
    // The example of https://spec.matrix.org/v1.19/application-service-api/#registration
    await writeFile(
      file,
      `id: "IRC Bridge"
url: "http://127.0.0.1:1234"
as_token: "30c05ae90a248a4188e620216fa72e349803310ec83e2a77b34fe90be6081f46"
hs_token: "312df522183efd404ec1cd22d2ffa4bbc76a8c1ccf541dd692eef281356bb74e"
sender_localpart: "_irc_bot" # Will result in @_irc_bot:example.org
namespaces:
  users:
    - exclusive: true
      regex: "@_irc_bridge_.*"
  aliases:
    - exclusive: false
      regex: "#_irc_bridge_.*"
  rooms: []
`,
    )
    const [appservice] = await loadRegistrations([file], [], serverName)
    assert.equal(appservice?.sender, '@_irc_bot:example.org')
    assert.equal(appservice.url, 'http://127.0.0.1:1234')
    assert.equal(appservice.namespaces.aliases[0]?.exclusive, false)
    assert.equal(appservice.rateLimited, false)
    assert.equal(appservice.receivesEphemeral, false)
    await assert.rejects(
      loadRegistrations([file], [registration('other', { id: 'IRC Bridge' })], serverName),
      /has the same id as irc\.yaml/,
    )
    await writeFile(file, 'id: [')
    await assert.rejects(loadRegistrations([file], [], serverName), /irc\.yaml: /)
    await assert.rejects(loadRegistrations([`${file}x`], [], serverName), /does not exist/)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a registration with a mistake is refused with a sentence that names it', () => {
  const cases: readonly [unknown, RegExp][] = [
    [null, /a\.yaml: the file must be object/],
    [{ ...registration('a'), as_token: undefined }, /"as_token" (is missing|must)/],
    [{ ...registration('a'), as_token: 'short' }, /"as_token" must not have fewer than 16/],
    [registration('a', { hs_token: registration('a').as_token }), /must differ/],
    [registration('a', { sender_localpart: 'my bot' }), /"sender_localpart" may hold only/],
    [registration('a', { sender_localpart: 'bot:x' }), /"sender_localpart" may hold only/],
    [registration('a', { sender_localpart: 'b\u00f6t' }), /"sender_localpart" may hold only/],
    [registration('a', { sender_localpart: 'b'.repeat(255) }), /"sender_localpart" may hold only/],
    [registration('a', { url: 'ftp://x' }), /"url" must begin with http/],
    [registration('a', { url: 'https://user@x' }), /no user name/],
    [{ ...registration('a'), namespaces: { users: [{ regex: 1 }] } }, /"namespaces\.users/],
    [
      registration('a', { namespaces: { users: [{ exclusive: true, regex: '@(?=x)' }] } }),
      /the regex of namespaces\.users\[0\] looks ahead or behind.*@\(\?=x\)/,
    ],
  ]
  for (const [value, expected] of cases) {
    assert.throws(() => parseRegistration(value, serverName, { source: 'a.yaml' }), expected)
  }
})

test('a sender may have a name that no new account could have, as mautrix bridges write it', () => {
  // What mautrix-irc generates; it acts by its bot, which its namespaces name.
  const value = registration('irc', {
    sender_localpart: 'Vm4AYuwezcjg1upSDoMYYy6eDejScG8m',
    namespaces: { users: [{ exclusive: true, regex: '^@ircbot:example\\.org$' }] },
  })
  const { sender } = parseRegistration(value, serverName, { source: 'a.yaml' })
  assert.equal(sender, '@Vm4AYuwezcjg1upSDoMYYy6eDejScG8m:example.org')
})

test('ids, tokens and senders must be unique among all registrations', async () => {
  const same = registration('a')
  for (const key of ['id', 'as_token', 'sender_localpart'] as const) {
    const other = registration('b', { [key]: same[key] })
    await assert.rejects(loadRegistrations([], [same, other], serverName), new RegExp(`same ${key}`))
  }
})

test('a user namespace reaches no other server, whatever its pattern says', () => {
  const registry = registryOf(registration('a', { namespaces: { users: [{ regex: '.*' }] } }))
  const [a] = registry.list
  assert.equal(isUserOf(registry, a!, '@x:example.org'), true)
  assert.equal(isUserOf(registry, a!, '@x:example.org.evil'), false)
  assert.equal(isUserOf(registry, a!, '@x:evil:example.org'), false)
  assert.equal(isUserOf(registry, a!, '@x:other'), false)
})

test('exclusive names are for their appservice alone, shared ones for everybody', () => {
  const shared = registration('c', {
    namespaces: { users: [{ exclusive: false, regex: '@c_.*' }], aliases: [{ regex: '#c_.*' }] },
  })
  const registry = registryOf(registration('a'), registration('b'), shared)
  const exclusive = { errcode: 'M_EXCLUSIVE', status: 400 }
  checkUserClaim(registry, '@_a_x:example.org', 'a')
  checkUserClaim(registry, '@c_x:example.org', undefined)
  checkUserClaim(registry, '@c_x:example.org', 'c')
  checkUserClaim(registry, '@_a_bot:example.org', 'a')
  assert.throws(() => checkUserClaim(registry, '@_a_x:example.org', undefined), exclusive)
  assert.throws(() => checkUserClaim(registry, '@_a_x:example.org', 'b'), exclusive)
  assert.throws(() => checkUserClaim(registry, '@_c_bot:example.org', undefined), exclusive)
  assert.throws(() => checkUserClaim(registry, '@alice:example.org', 'c'), exclusive)
  checkAliasClaim(registry, '#_a_x:example.org', 'a')
  checkAliasClaim(registry, '#c_x:example.org', undefined)
  assert.throws(() => checkAliasClaim(registry, '#_a_x:example.org', undefined), exclusive)
  assert.throws(() => checkAliasClaim(registry, '#map:example.org', 'a'), exclusive)
  assert.equal(isExclusiveRoom(registry, '!a:example.org'), true)
  assert.equal(isExclusiveRoom(registry, '!a:example.org', 'a'), false)
})

test('a token finds its own appservice and nothing else does', () => {
  const registry = registryOf(registration('a'), registration('b'))
  assert.equal(findAppserviceByToken(registry, registration('b').as_token)?.id, 'b')
  assert.equal(findAppserviceByToken(registry, registration('b').hs_token), undefined)
  assert.equal(findAppserviceByToken(registry, ''), undefined)
})

test('ephemeral data is asked for under three names, and encryption under one', () => {
  const parsed = (more: Partial<AppserviceRegistration>) => {
    const one = parseRegistration(registration('a', more), serverName, { source: 'a.yaml' })
    return [one.receivesEphemeral, one.usesMsc2409, one.receivesEncryption]
  }
  const old = { 'de.sorunome.msc2409.push_ephemeral': true }
  assert.deepEqual(parsed({}), [false, false, false])
  assert.deepEqual(parsed({ receive_ephemeral: true }), [true, false, false])
  assert.deepEqual(parsed({ push_ephemeral: true }), [true, true, false])
  assert.deepEqual(parsed(old), [true, true, false])
  assert.deepEqual(parsed({ ...old, receive_ephemeral: true, 'org.matrix.msc3202': true }), [
    true,
    true,
    true,
  ])
  assert.deepEqual(parsed({ ...old, receive_ephemeral: false }), [false, false, false])
})

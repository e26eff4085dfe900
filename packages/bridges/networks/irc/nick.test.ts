import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nickCandidates, nickOf } from './nick.ts'

const nick = (displayName: string, nickLength = 30, suffix = ''): string =>
  nickOf({ displayName, localpart: 'someone', nickLength, suffix })

test('a display name becomes a nick that people recognize', () => {
  assert.equal(nick('Alice'), 'Alice')
  assert.equal(nick('Alice Smith'), 'Alice_Smith')
  assert.equal(nick('Alice (she/her) | OSM'), 'Alice')
  assert.equal(nick('Jürgen Großmann'), 'Jurgen_Grossmann')
  assert.equal(nick('Łukasz'), 'Lukasz')
  assert.equal(nick('Ольга Щукина'), 'Olga_Shchukina')
  assert.equal(nick('Νίκος'), 'Nikos')
  assert.equal(nick('🌍 Map Fan 🌍'), 'Map_Fan')
})

test('the first character is neither a digit nor a hyphen', () => {
  assert.equal(nick('4leaf'), '_4leaf')
  assert.equal(nick('-dash'), 'dash')
})

test('a name without a letter IRC can show falls back to the localpart, then to a hash', () => {
  assert.equal(nick('地图'), 'someone')
  assert.match(nickOf({ displayName: '', localpart: '地图', nickLength: 30 }), /^u[0-9a-z]{7}$/)
})

test('a long name is cut before the suffix, which stays', () => {
  assert.equal(nick('Alexandra Longname', 16, '[m]'), 'Alexandra_Lon[m]')
  assert.equal(nick('Alexander Longname', 13, '[m]'), 'Alexander[m]')
})

test('nobody gets a nick that looks like a service', () => {
  assert.equal(nick('NickServ'), 'NickServ_')
  assert.equal(nick('NickServ', 8), 'NickSer_')
})

test('taken nicks are followed by others, all different', () => {
  const tried = [
    ...nickCandidates({ displayName: 'alice', localpart: 'alice', nickLength: 16, suffix: '[m]' }),
  ]
  assert.deepEqual(tried.slice(0, 4), ['alice[m]', 'alice_[m]', 'alice__[m]', 'alice2[m]'])
  assert.equal(new Set(tried).size, tried.length)
})

test('nicks are legal and short enough for any name', () => {
  const input = fc.record({
    displayName: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme-ascii' }),
      fc.constantFrom('serv', '__', '9'),
    ),
    localpart: fc.string({ unit: 'binary' }),
    nickLength: fc.integer({ min: 4, max: 32 }),
    suffix: fc.constantFrom('', '[m]', '\r\n!', 'serv'),
  })
  fc.assert(
    fc.property(input, (given) => {
      const tried = [...nickCandidates(given)]
      assert.equal(tried[0], nickOf(given))
      for (const one of tried) {
        assert.match(one, /^[A-Za-z_[\]\\`^{}|][\w[\]\\`^{}|-]*$/)
        assert.ok(one.length <= given.nickLength)
        assert.doesNotMatch(one, /serv$/i)
      }
      assert.ok(given.nickLength < 9 || tried.length >= 10)
    }),
    { numRuns: 1000 },
  )
})

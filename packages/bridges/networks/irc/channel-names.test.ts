import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { channelKey, matchesGlob, parseChannelName } from './channel-names.ts'
import { DEFAULT_ISUPPORT } from './client/isupport.ts'
import { parseBridgeCommand } from './observe.ts'

test('patterns match as on IRC', () => {
  for (const [pattern, name, fits] of [
    ['#*', '#osm', true],
    ['#osm*', '#osm', true],
    ['#osm-?', '#osm-de', false],
    ['*!*@host.?xample', 'a!b@host.example', true],
    ['*a*b*', 'xxaxxbxx', true],
    ['*a*b', 'ab ', false],
    ['', '', true],
    ['*', '', true],
    ['?', '', false],
  ] as const)
    assert.equal(matchesGlob(pattern, name), fits, `${pattern} ${name}`)
  fc.assert(fc.property(fc.string(), (text) => matchesGlob(text.replaceAll('*', '?'), text)))
})

test('a channel has one key however it is written, and only real channels have one', () => {
  const channels = { allow: ['#*'], deny: ['#Secret*'] }
  const parse = (text: string) => parseChannelName(text, channels, DEFAULT_ISUPPORT)
  assert.deepEqual(parse(' #OSM[de] '), { channel: '#osm{de}', name: '#OSM[de]' })
  assert.equal(channelKey('#OSM{DE}'), '#osm{de}')
  for (const odd of [
    '',
    '#',
    'osm',
    '#a,b',
    '#a b',
    '#a\x07b',
    `#${'x'.repeat(300)}`,
    '#secret-place',
    '&local',
  ])
    assert.ok('refusal' in parse(odd), odd)
})

test('words to the bridge are told from other words', () => {
  assert.deepEqual(parseBridgeCommand('!bridge Accept'), ['accept'])
  assert.deepEqual(parseBridgeCommand('!bridge'), [])
  assert.deepEqual(parseBridgeCommand(' !UNBRIDGE keep '), ['unbridge', 'keep'])
  for (const odd of ['!bridges', 'bridge accept', 'a !bridge', ''])
    assert.equal(parseBridgeCommand(odd), undefined)
})

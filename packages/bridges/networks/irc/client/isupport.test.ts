import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldCase } from './casemap.ts'
import { allowsClientTag, applyIsupport, DEFAULT_ISUPPORT, isChannel, splitStatus } from './isupport.ts'
import { parseModes } from './modes.ts'

const apply = (tokens: string) => applyIsupport(DEFAULT_ISUPPORT, tokens.split(' '))

test('a server’s tokens are read into values', () => {
  const isupport = apply(
    'CASEMAPPING=ascii NICKLEN=20 CHANTYPES=#&+ PREFIX=(qaohv)~&@%+ CHANMODES=beI,k,l,imMnOPQRstVz STATUSMSG=@+ ' +
      'TARGMAX=PRIVMSG:4,JOIN:,NAMES:1 LINELEN=2048 NETWORK=The\\x20Net MODES=5',
  )
  assert.equal(isupport.caseMapping, 'ascii')
  assert.equal(isupport.nickLength, 20)
  assert.equal(isupport.lineLength, 2048)
  assert.equal(isupport.network, 'The Net')
  assert.equal(isupport.modesPerLine, 5)
  assert.deepEqual(
    [...isupport.targetMax],
    [
      ['PRIVMSG', 4],
      ['JOIN', Infinity],
      ['NAMES', 1],
    ],
  )
  assert.equal(isupport.prefixes.map(({ mode, symbol }) => mode + symbol).join(' '), 'q~ a& o@ h% v+')
  assert.ok(isChannel(isupport, '+modeless') && !isChannel(isupport, 'nick'))
  assert.deepEqual(splitStatus(isupport, '@#ops'), ['@', '#ops'])
  assert.deepEqual(splitStatus(isupport, '@nick'), ['', '@nick'])
})

test('without tokens the limits of RFC 2812 hold, and a token can be taken back', () => {
  assert.equal(DEFAULT_ISUPPORT.nickLength, 9)
  assert.equal(DEFAULT_ISUPPORT.caseMapping, 'rfc1459')
  assert.equal(applyIsupport(apply('NICKLEN=30'), ['-NICKLEN']).nickLength, 9)
})

test('nonsense values fall back or are clamped, and tokens do not grow without end', () => {
  const isupport = apply('NICKLEN=-5 LINELEN=99999999 HOSTLEN=abc PREFIX=(ov CHANMODES=')
  assert.equal(isupport.nickLength, 9)
  assert.equal(isupport.lineLength, 16_384)
  assert.equal(isupport.hostLength, 63)
  assert.deepEqual(isupport.prefixes, [])
  let many = DEFAULT_ISUPPORT
  for (let at = 0; at < 2000; at++) many = applyIsupport(many, [`T${at}=1`])
  assert.equal(many.tokens.size, 256)
})

test('client tags pass unless the server denies them', () => {
  assert.ok(allowsClientTag(DEFAULT_ISUPPORT, '+draft/react'))
  const some = apply('CLIENTTAGDENY=draft/react')
  assert.ok(!allowsClientTag(some, '+draft/react') && allowsClientTag(some, '+draft/reply'))
  const most = apply('CLIENTTAGDENY=*,-draft/reply')
  assert.ok(!allowsClientTag(most, '+draft/react') && allowsClientTag(most, '+draft/reply'))
})

test('names compare as the server compares them', () => {
  assert.equal(foldCase('rfc1459', 'Ab[]\\^{}|~'), 'ab{}|~{}|~')
  assert.equal(foldCase('rfc1459-strict', 'Ab[]\\^~'), 'ab{}|^~')
  assert.equal(foldCase('ascii', 'Ab[]\\^ÄÖ'), 'ab[]\\^ÄÖ')
  assert.equal(foldCase('unicode', 'ÄÖ'), 'äö')
})

test('mode changes take their arguments from the right places', () => {
  const isupport = apply('PREFIX=(ov)@+ CHANMODES=b,k,l,imnpst')
  const short = (params: string[]) =>
    parseModes(isupport, params).map(({ set, mode, argument, kind }) => [
      `${set ? '+' : '-'}${mode}`,
      argument,
      kind,
    ])
  assert.deepEqual(short(['+ob-v+l-l+mb', 'alice', '*!*@bad', 'bob', '5']), [
    ['+o', 'alice', 'member'],
    ['+b', '*!*@bad', 'list'],
    ['-v', 'bob', 'member'],
    ['+l', '5', 'flag'],
    ['-l', undefined, 'flag'],
    ['+m', undefined, 'flag'],
    ['+b', undefined, 'list'],
  ])
  assert.deepEqual(short(['-k', 'key']), [['-k', 'key', 'flag']])
  assert.deepEqual(short([]), [])
})

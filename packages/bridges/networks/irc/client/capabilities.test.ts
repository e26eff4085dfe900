import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Capabilities } from './capabilities.ts'

test('a list over several lines is waited for, and only what we use is asked for', () => {
  const caps = new Capabilities(true)
  assert.deepEqual(caps.handle(['*', 'LS', '*', 'batch server-time sasl=PLAIN,EXTERNAL']).requests, [])
  const result = caps.handle(['*', 'LS', 'message-tags away-notify sts=port=6697'])
  assert.deepEqual(result.requests, ['batch server-time sasl message-tags'])
  assert.equal(result.isSettled, false)
  const settled = caps.handle(['me', 'ACK', 'batch server-time sasl message-tags '])
  assert.deepEqual([settled.isSettled, settled.isChanged], [true, true])
  assert.ok(caps.offersSasl('EXTERNAL') && !caps.offersSasl('SCRAM-SHA-256'))
})

test('nothing to ask for settles at once, and SASL is only asked for when wanted', () => {
  assert.equal(new Capabilities(false).handle(['*', 'LS', 'sasl']).isSettled, true)
  assert.equal(new Capabilities(false).handle(['*', 'LS', '']).isSettled, true)
})

test('a refused list is asked for one by one, a refused single name given up', () => {
  const caps = new Capabilities(false)
  caps.handle(['*', 'LS', 'batch chghost'])
  assert.deepEqual(caps.handle(['*', 'NAK', 'batch chghost']).requests, ['batch', 'chghost'])
  assert.equal(caps.handle(['*', 'NAK', 'batch']).isSettled, false)
  assert.equal(caps.handle(['*', 'ACK', 'chghost']).isSettled, true)
  assert.deepEqual([...caps.agreed], ['chghost'])
})

test('capabilities come and go while connected', () => {
  const caps = new Capabilities(false)
  caps.handle(['*', 'LS', ''])
  assert.deepEqual(caps.handle(['me', 'NEW', 'echo-message other']).requests, ['echo-message'])
  assert.equal(caps.handle(['me', 'ACK', 'echo-message']).isChanged, true)
  assert.equal(caps.handle(['me', 'DEL', 'echo-message']).isChanged, true)
  assert.deepEqual([...caps.agreed], [])
})

test('an unasked ACK switches on nothing we do not know, and a flood of offers is bounded', () => {
  const caps = new Capabilities(false)
  caps.handle(['*', 'ACK', 'evil'])
  assert.deepEqual([...caps.agreed], [])
  for (let at = 0; at < 2000; at++) caps.handle(['*', 'NEW', `c${at}`])
  assert.equal(caps.offered.size, 256)
})

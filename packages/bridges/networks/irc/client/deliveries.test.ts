import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '@causeway/testkit/irc/manual-clock.ts'
import { Deliveries } from './deliveries.ts'
import type { Delivery, Proof } from './deliveries.ts'

function setUp(proof: Proof) {
  const clock = manualClock()
  const deliveries = new Deliveries(clock, 1000, 'p-')
  const outcomes: Record<string, string> = {}
  const begin = (text: string, target = '#a', command = 'PRIVMSG'): Delivery =>
    deliveries.begin({ command, target, text, proof }, (outcome) => {
      assert.equal(outcomes[text], undefined, 'settled twice')
      outcomes[text] = outcome.kind
    })
  const write = (...texts: string[]): Delivery[] =>
    texts.map((text) => {
      const delivery = begin(text)
      deliveries.written(delivery)
      return delivery
    })
  return { clock, deliveries, outcomes, begin, write }
}

test('the answer to a PING settles exactly what was written before it', () => {
  const { deliveries, outcomes, write, begin } = setUp('ping')
  write('1', '2')
  const token = deliveries.pingDue(true)
  write('3')
  begin('4')
  deliveries.ponged('x-2')
  assert.deepEqual(outcomes, {})
  deliveries.ponged(token ?? '')
  assert.deepEqual(outcomes, { 1: 'accepted', 2: 'accepted' })
})

test('a PING is due when the queue is empty, or after 16 lines', () => {
  const { deliveries, write } = setUp('ping')
  assert.equal(deliveries.pingDue(true), undefined)
  write(...Array.from({ length: 15 }, (_, at) => `l${at}`))
  assert.equal(deliveries.pingDue(false), undefined)
  write('last')
  assert.equal(deliveries.pingDue(false), 'p-g')
  assert.equal(deliveries.pingDue(true), undefined)
})

test('echoes are told by their text, and by their order where the server changed it', () => {
  const { deliveries, write } = setUp('echo')
  const [first, second] = write('bold', 'plain')
  assert.equal(deliveries.findEcho('PRIVMSG', '#a', 'plain'), second)
  assert.equal(deliveries.findEcho('PRIVMSG', '#a', 'stripped'), first)
  assert.equal(deliveries.findEcho('NOTICE', '#a', 'plain'), undefined)
  assert.equal(deliveries.findEcho('PRIVMSG', '#b', 'plain'), undefined)
})

test('a refusal meets the oldest line to its target, and a text only by a code that refuses texts', () => {
  const { deliveries, write, begin } = setUp('ping')
  const [first] = write('1', '2')
  assert.equal(deliveries.findRefused('404', ['#a', 'text']), first)
  assert.equal(deliveries.findRefused('482', ['#a']), undefined)
  const kick = begin('k', '#a', 'KICK')
  deliveries.written(kick)
  assert.equal(deliveries.findRefused('482', ['#a']), kick)
})

test('no proof in time means uncertain, and the time runs from the writing', () => {
  const { clock, deliveries, outcomes, write, begin } = setUp('label')
  write('1')
  const queued = begin('2')
  clock.advance(999)
  assert.deepEqual(outcomes, {})
  clock.advance(1)
  assert.deepEqual(outcomes, { 1: 'uncertain' })
  clock.advance(5000)
  deliveries.written(queued)
  clock.advance(1000)
  assert.deepEqual(outcomes, { 1: 'uncertain', 2: 'uncertain' })
  assert.equal(clock.pending, 0)
})

test('at the end of a connection only what was written is uncertain', () => {
  const { clock, deliveries, outcomes, write, begin } = setUp('label')
  write('1')
  begin('2')
  deliveries.close()
  assert.deepEqual(outcomes, { 1: 'uncertain' })
  assert.equal(clock.pending, 0)
})

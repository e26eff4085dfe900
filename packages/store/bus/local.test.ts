import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalBus } from './local.ts'

const unexpected = (error: unknown): void => assert.fail(String(error))

test('every subscriber hears a position, until it leaves', () => {
  const bus = createLocalBus(unexpected)
  const heard: string[] = []
  const leave = bus.subscribe((position) => heard.push(`a${position}`))
  bus.subscribe((position) => heard.push(`b${position}`))
  bus.publish(1)
  leave()
  leave()
  bus.publish(2)
  assert.deepEqual(heard, ['a1', 'b1', 'b2'])
  assert.equal(bus.position(), 2)
})

test('a position that is not above the last is not announced', () => {
  const bus = createLocalBus(unexpected)
  const heard: number[] = []
  bus.subscribe((position) => heard.push(position))
  for (const position of [5, 5, 3, 6]) bus.publish(position)
  assert.deepEqual(heard, [5, 6])
})

test('a listener that throws is reported and the others hear all the same', () => {
  const errors: unknown[] = []
  const bus = createLocalBus((error) => errors.push(error))
  const heard: number[] = []
  const failure = new Error('mine')
  bus.subscribe(() => {
    throw failure
  })
  bus.subscribe((position) => heard.push(position))
  bus.publish(1)
  assert.deepEqual(heard, [1])
  assert.deepEqual(errors, [failure])
})

test('one function subscribed twice is called twice; listeners may leave and come during an announcement', () => {
  const bus = createLocalBus(unexpected)
  const heard: string[] = []
  const twice = (): void => void heard.push('twice')
  const leave = bus.subscribe(() => {
    leave()
    leaveOther()
    bus.subscribe(() => heard.push('late'))
  })
  const leaveOther = bus.subscribe(() => heard.push('left'))
  bus.subscribe(twice)
  bus.subscribe(twice)
  bus.publish(1)
  assert.deepEqual(heard, ['twice', 'twice'])
  bus.publish(2)
  assert.deepEqual(heard.slice(2), ['twice', 'twice', 'late'])
})

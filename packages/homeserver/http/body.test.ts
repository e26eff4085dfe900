import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { it } from 'node:test'
import type { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { discardRest, readBody, type BodyTimer } from './body.ts'

interface FakeTimer extends BodyTimer {
  fire: (() => void) | undefined
  pending: number
}

function fakeTimer(): FakeTimer {
  const timer: FakeTimer = {
    fire: undefined,
    pending: 0,
    setTimeout: (fn) => {
      timer.fire = fn
      timer.pending += 1
      return { cancel: () => (timer.pending -= 1) }
    },
  }
  return timer
}

const isError = (errcode: string, status: number) => (error: unknown) =>
  (error as MatrixError).errcode === errcode && (error as MatrixError).status === status

it('a body that came with its headers is read without a timer', async () => {
  const request = new IncomingMessage(new Socket())
  request.push('{"a"')
  request.push(':1}')
  request.push(null)
  request.complete = true
  const timer = fakeTimer()
  assert.equal(Buffer.from(await readBody(request, 100, timer)).toString(), '{"a":1}')
  assert.equal(timer.fire, undefined)
})

it('a body that arrives in parts is put together, and the timer goes away', async () => {
  const request = new IncomingMessage(new Socket())
  const timer = fakeTimer()
  const reading = readBody(request, 100, timer)
  request.push('ab')
  request.push('cd')
  request.push(null)
  assert.equal(Buffer.from(await reading).toString(), 'abcd')
  assert.equal(timer.pending, 0)
})

it('a body that drips in is given up', async () => {
  const request = new IncomingMessage(new Socket())
  const timer = fakeTimer()
  const reading = readBody(request, 100, timer)
  request.push('a')
  timer.fire?.()
  await assert.rejects(reading, isError('M_CONNECTION_TIMEOUT', 408))
  assert.equal(request.listenerCount('data'), 0)
})

it('a body that is too large is read to its end first, so that the sender reads the refusal', async () => {
  const request = new IncomingMessage(new Socket())
  let settled = false
  const reading = readBody(request, 4, fakeTimer()).finally(() => (settled = true))
  reading.catch(() => undefined)
  request.push('abcdef')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(settled, false)
  request.push(null)
  await assert.rejects(reading, isError('M_TOO_LARGE', 413))
})

it('a body announced as endless is refused at once', async () => {
  const request = new IncomingMessage(new Socket())
  request.headers['content-length'] = String(2 ** 40)
  await assert.rejects(readBody(request, 4, fakeTimer()), isError('M_TOO_LARGE', 413))
})

it('a connection that ends within a body refuses it', async () => {
  const request = new IncomingMessage(new Socket())
  const reading = readBody(request, 100, fakeTimer())
  request.push('a')
  request.destroy()
  await assert.rejects(reading, isError('M_NOT_JSON', 400))
})

it('what is left of a body is thrown away up to its end, unless it drips or the sender goes', async () => {
  const start = (): IncomingMessage => {
    const request = new IncomingMessage(new Socket())
    request.push('abc')
    return request
  }
  const ended = start()
  const draining = discardRest(ended, fakeTimer())
  ended.push('def')
  ended.complete = true
  ended.push(null)
  assert.equal(await draining, true)
  const dripping = start()
  const timer = fakeTimer()
  const givenUp = discardRest(dripping, timer)
  timer.fire?.()
  assert.equal(await givenUp, false)
  const gone = start()
  const broken = discardRest(gone, fakeTimer())
  gone.destroy()
  assert.equal(await broken, false)
})

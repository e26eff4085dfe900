import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { it } from 'node:test'
import { fileResponse, parseRange, type ByteRange } from './range.ts'

it('reads the forms of a range', () => {
  assert.deepEqual(parseRange('bytes=0-4', 10), { start: 0, end: 5 })
  assert.deepEqual(parseRange('bytes=4-', 10), { start: 4, end: 10 })
  assert.deepEqual(parseRange('bytes=-3', 10), { start: 7, end: 10 })
  assert.deepEqual(parseRange('bytes=-30', 10), { start: 0, end: 10 })
  assert.deepEqual(parseRange('bytes=5-100', 10), { start: 5, end: 10 })
})

it('ignores what it need not understand, and refuses what lies outside', () => {
  for (const header of [
    undefined,
    'bytes=',
    'bytes=-',
    'bytes=5-4',
    'bytes=0-1,3-4',
    'lines=1-2',
    'bytes=a-b',
  ]) {
    assert.equal(parseRange(header, 10), undefined)
  }
  assert.equal(parseRange('bytes=10-', 10), 'unsatisfiable')
  assert.equal(parseRange('bytes=-0', 10), 'unsatisfiable')
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable')
})

function answer(headers: Record<string, string>): {
  status: number
  headers: object
  range: ByteRange | undefined | null
} {
  const request = new IncomingMessage(new Socket())
  request.headers = headers
  let range: ByteRange | undefined | null = null
  const open = (asked?: ByteRange): Readable => {
    range = asked
    return Readable.from([])
  }
  const { status, headers: got } = fileResponse(request, {
    size: 10,
    headers: { 'content-type': 'x/y' },
    etag: '"e"',
    open,
  })
  return { status, headers: got, range }
}

it('answers whole, in part, with nothing new, or with the size when nothing is there', () => {
  assert.deepEqual([answer({}).status, answer({}).range], [200, undefined])
  const part = answer({ range: 'bytes=2-3' })
  assert.deepEqual([part.status, part.range], [206, { start: 2, end: 4 }])
  assert.deepEqual(part.headers, {
    'content-type': 'x/y',
    'accept-ranges': 'bytes',
    etag: '"e"',
    'content-length': '2',
    'content-range': 'bytes 2-3/10',
  })
  assert.deepEqual(
    [answer({ 'if-none-match': '"d", W/"e"' }).status, answer({ 'if-none-match': '"e"' }).range],
    [304, null],
  )
  assert.equal(answer({ range: 'bytes=20-' }).status, 416)
  assert.equal(answer({ range: 'bytes=2-3', 'if-range': '"old"' }).status, 200)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineReader } from './line-reader.ts'

function read(chunks: readonly Buffer[], limit = 100): { lines: string[]; reader: LineReader } {
  const reader = new LineReader(limit)
  const lines: string[] = []
  for (const chunk of chunks) reader.push(chunk, (line) => lines.push(line))
  return { lines, reader }
}

test('lines come out the same however the bytes were cut', () => {
  const bytes = Buffer.from('PING :ä\r\nPONG 😀\n\r\n\nlast\r\nrest')
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 10 }), (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
      assert.deepEqual(read(chunks).lines, ['PING :ä', 'PONG 😀', 'last'])
    }),
  )
})

test('a line at the limit passes, a longer one is skipped and the next is whole', () => {
  const fits = `${'x'.repeat(98)}\n`
  const tooLong = `${'y'.repeat(100)}\n`
  const { lines, reader } = read([Buffer.from(tooLong + fits)])
  assert.deepEqual(lines, ['x'.repeat(98)])
  assert.equal(reader.skipped, 1)
})

test('a server that never ends its line costs no memory', () => {
  const { lines, reader } = read(Array.from({ length: 5000 }, () => Buffer.alloc(1000, 'z')))
  assert.equal(lines.length, 0)
  reader.push(Buffer.from('z\nPING\n'), (line) => lines.push(line))
  assert.deepEqual(lines, ['PING'])
})

test('bytes that are no UTF-8 are read as Windows-1252', () => {
  assert.deepEqual(read([Buffer.from([0x67, 0xfc, 0x6e, 0x80, 0x0a])]).lines, ['gün€'])
})

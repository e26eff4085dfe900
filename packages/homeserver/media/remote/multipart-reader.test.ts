import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { boundaryOf, MultipartBroken, readSecondPart } from './multipart-reader.ts'

const HEAD = '--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\n'

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(text: string, size: number): Promise<{ headers: object; body: string }> {
  const { headers, body } = await readSecondPart(inPieces(text, size), 'b')
  return {
    headers: Object.fromEntries(headers),
    body: (await buffer(Readable.from(body, { objectMode: false }))).toString('latin1'),
  }
}

describe('the parts of media from other servers', () => {
  const content = 'data \r\n--c\r\n-- \r\n-\r\n--\r\n--bo'.replace('--bo', '--x')
  const text = `${HEAD}Content-Type: image/png\r\nContent-Disposition: inline; filename="a.png"\r\n\r\n${content}\r\n--b--\r\n\r\n`

  it('are found however the bytes are cut', async () => {
    for (const size of [1, 2, 3, 5, 7, 64, 10_000]) {
      const headers = { 'content-type': 'image/png', 'content-disposition': 'inline; filename="a.png"' }
      assert.deepEqual(await read(text, size), { headers, body: content }, `pieces of ${size}`)
    }
  })

  it('may come after a preamble, with space behind the delimiter, and be empty', async () => {
    const odd = `hello\r\n--b  \r\n\r\n{}\r\n--b\t\r\nX: y\r\n\r\n\r\n--b--`
    assert.deepEqual(await read(odd, 3), { headers: { x: 'y' }, body: '' })
  })

  it('are refused where one is missing, where they break off, and where the head has no end', async () => {
    const broken = [
      '',
      'no parts at all',
      '--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b--\r\n',
      `${HEAD}Content-Type: text/plain`,
      `${HEAD}Content-Type: text/plain\r\n\r\nhalf of the con`,
      `--b\r\n\r\n${'x'.repeat(100_000)}`,
      `${HEAD}${'x: y\r\n'.repeat(50_000)}\r\n--b--`,
    ]
    for (const one of broken) await assert.rejects(read(one, 50), MultipartBroken, one.slice(0, 60))
  })

  it('have a boundary that the content type names', () => {
    assert.equal(boundaryOf('multipart/mixed; boundary=abc'), 'abc')
    assert.equal(boundaryOf('Multipart/Mixed;charset=x; Boundary="a b"'), 'a b')
    for (const type of [
      undefined,
      'multipart/mixed',
      'text/plain; boundary=abc',
      'multipart/mixed; boundary=',
    ])
      assert.equal(boundaryOf(type), undefined)
  })
})

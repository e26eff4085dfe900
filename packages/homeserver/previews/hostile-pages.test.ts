import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { systemClock } from '@causeway/store/clock/system.ts'
import { findServerDrivers } from '../test-server.ts'
import { html, openPreviews, redirect, startSite, type PreviewServer, type TestSite } from './test-site.ts'

// What pages do to whoever reads them. Each ends soon, and the server goes on.

let site: TestSite
let inside: TestSite
let previews: PreviewServer

const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }

const NAMES = new Map([
  ['inside.test', ['127.0.0.2']],
  ['mixed.test', ['127.0.0.2', '10.1.2.3']],
])

before(async () => {
  site = await startSite()
  inside = await startSite('127.0.0.2')
  const [driver] = await findServerDrivers()
  previews = await openPreviews(driver!, {}, NAMES)
})
beforeEach(() => {
  site.pages.clear()
  site.asked.length = 0
})
after(async () => {
  await previews[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
  await inside[Symbol.asyncDispose]()
})

/** Sends the same without end, as fast as it is taken; resolves when the other side has had enough. */
async function pour(response: ServerResponse, chunk: string): Promise<number> {
  let sent = 0
  const closed = once(response, 'close')
  while (!response.destroyed) {
    sent += chunk.length
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), closed])
  }
  return sent
}

const failure = async (url: string): Promise<unknown> => {
  const answer = await previews.ask(url)
  assert.equal(answer.status, 502)
  return answer.json()
}
const FAILED = { errcode: 'M_UNKNOWN', error: 'This page could not be fetched' }

describe('a hostile page', () => {
  it('without end is left when it has said enough', async () => {
    const endings: Promise<number>[] = []
    site.pages.set('/endless', (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).write('<title>endless</title>')
      endings.push(pour(response, '<div>'.repeat(10_000)))
    })
    assert.deepEqual(await previews.preview(`${site.url}/endless`), { 'og:title': 'endless' })
    const sent = await endings[0]!
    assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes were taken`)
  })

  it('that drips is taken for what it said until its time was over', async () => {
    const drops: ServerResponse[] = []
    site.pages.set('/drip', (_request, response) => {
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .write(`<title>drip</title>${' '.repeat(5_000)}`)
      drops.push(response)
    })
    const before = previews.turns()
    const asked = previews.preview(`${site.url}/drip`)
    while (previews.turns() === before) await systemClock.sleep(5)
    drops[0]!.write('<p>drop')
    const closed = once(drops[0]!, 'close')
    previews.expire(15_000)
    assert.deepEqual(await asked, { 'og:title': 'drip' })
    await closed
  })

  it('that says nothing at all fails when its time is over', async () => {
    const waiting: ServerResponse[] = []
    site.pages.set('/silent', (_request, response) => void waiting.push(response))
    const asked = failure(`${site.url}/silent`)
    while (waiting.length === 0) await systemClock.sleep(5)
    previews.expire(15_000)
    assert.deepEqual(await asked, FAILED)
  })

  it('that is a bomb when unpacked costs no more than any page', async () => {
    const zeros = Buffer.alloc(100 * 1024 * 1024, 32)
    Buffer.from('<title>bomb</title>').copy(zeros)
    site.pages.set('/gzip', html(gzipSync(zeros, { level: 1 }), { 'content-encoding': 'gzip' }))
    site.pages.set('/br', html(brotliCompressSync(zeros, FAST), { 'content-encoding': 'br' }))
    const before = process.memoryUsage().arrayBuffers
    assert.deepEqual(await previews.preview(`${site.url}/gzip`), { 'og:title': 'bomb' })
    assert.deepEqual(await previews.preview(`${site.url}/br`), { 'og:title': 'bomb' })
    const grown = process.memoryUsage().arrayBuffers - before
    assert.ok(grown < 40 * 1024 * 1024, `${grown} bytes more`)
  })

  it('that calls itself packed and is not, or in a way unknown, fails', async () => {
    for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip']) {
      site.pages.set(`/?${encoding}`, html('<title>plain</title>', { 'content-encoding': encoding }))
      assert.deepEqual(await failure(`${site.url}/?${encoding}`), FAILED)
    }
  })

  it('that redirects in a circle, or for ever, is followed five times', async () => {
    site.pages.set('/circle', redirect('/circle'))
    assert.deepEqual(await failure(`${site.url}/circle`), FAILED)
    assert.equal(site.asked.length, 6)
    for (const away of ['ftp://x/', 'javascript:alert(1)', 'http://[', '']) {
      site.pages.set(`/to?${away}`, redirect(away))
      assert.deepEqual(await failure(`${site.url}/to?${away}`), FAILED)
    }
  })

  it('does not lead into the network of this server, by whatever way', async () => {
    const secret = `${inside.url}/`
    inside.pages.set('/', html('<title>secret</title>'))
    inside.pages.set('/o', html('{"version":"1.0","title":"secret"}'))
    site.pages.set('/redirect', redirect(secret))
    assert.deepEqual(await failure(`${site.url}/redirect`), FAILED)
    const { port } = inside
    const decimal = 0x7f000002
    const ways = [
      secret,
      `http://inside.test:${port}/`,
      `http://mixed.test:${port}/`,
      `http://${decimal}:${port}/`,
      `http://0x7f.2:${port}/`,
      `http://[::ffff:127.0.0.2]:${port}/`,
      `http://0:${port}/`,
      `http://[::1]:${port}/`,
      `http://localhost:${port}/`,
      'http://169.254.169.254/latest/meta-data/',
    ]
    // What is inside and what is nowhere are told apart by nobody.
    for (const url of [...ways, 'http://nowhere.test/']) assert.deepEqual(await failure(url), FAILED, url)
    const parts = `<meta property=og:image content="${secret}a.png"><link rel=alternate type=application/json+oembed href="${secret}o">`
    site.pages.set('/parts', html(`<title>parts</title>${parts}`))
    assert.deepEqual(await previews.preview(`${site.url}/parts`), { 'og:title': 'parts' })
    assert.deepEqual(inside.asked, [])
  })

  it('that is nested, or has attributes, a hundred thousand times is read like any other', async () => {
    const deep = '<div><p>'.repeat(100_000)
    site.pages.set('/deep', html(`<body>${deep}<title>deep</title>`))
    site.pages.set('/tables', html(`${'<table><tr><td>'.repeat(60_000)}<title>tables</title>`))
    const attributes = Array.from({ length: 100_000 }, (_none, n) => `a${n}`).join(' ')
    site.pages.set('/wide', html(`<p ${attributes}><title>wide</title>`))
    const entities = '&amp;&#x1F600;&notanentity;&'.repeat(30_000)
    site.pages.set('/entities', html(`<title>entities</title><meta name=description content="${entities}">`))
    for (const name of ['deep', 'tables', 'wide', 'entities']) {
      const answer = await previews.preview(`${site.url}/${name}`)
      assert.equal(answer['og:title'], name)
    }
  })

  it('keeps nobody else waiting while it is read', async () => {
    const heavy = `<title>heavy</title>${'<a b=c>&amp;</a>'.repeat(120_000)}`
    site.pages.set('/heavy', html(heavy))
    const before = previews.turns()
    assert.deepEqual(await previews.preview(`${site.url}/heavy`), { 'og:title': 'heavy' })
    // 1 MiB in pieces of at most 8 KiB.
    assert.ok(previews.turns() - before > 100, `${previews.turns() - before} turns`)
  })

  it('that is written in something else than it says is read as far as it can be', async () => {
    const title = (page: Buffer, type = 'text/html; charset=utf-8') => {
      site.pages.set('/x', html(page, { 'content-type': type }))
      previews.pass(2 * 3_600_000)
      return previews.preview(`${site.url}/x`)
    }
    const latin = Buffer.from('<title>sch\xf6n</title>', 'latin1')
    assert.deepEqual(await title(latin), { 'og:title': 'schön' })
    assert.deepEqual(await title(Buffer.from('<title>schön</title>'), 'text/html; charset=gibberish'), {
      'og:title': 'schön',
    })
    const japanese = Buffer.from([0x3c, 0x74, 0x69, 0x74, 0x6c, 0x65, 0x3e, 0x93, 0xfa, 0x96, 0x7b])
    assert.deepEqual(await title(japanese, 'text/html; charset=Shift_JIS'), { 'og:title': '日本' })
    // Promised as UTF-8 and none beyond what was looked at: what cannot be read is shown as such.
    const late = Buffer.concat([
      Buffer.from(`<!--${'x'.repeat(5_000)}--><title>a`),
      Buffer.from([0xff]),
      Buffer.from('b'),
    ])
    assert.deepEqual(await title(late), { 'og:title': 'a\ufffdb' })
  })

  it('that breaks off has said what it has said', async () => {
    site.pages.set('/broken', (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-length': '100000' })
      response.write(`<title>broken</title>${' '.repeat(5_000)}`, () => response.destroy())
    })
    site.pages.set('/nothing', (_request, response) => void response.destroy())
    assert.deepEqual(await previews.preview(`${site.url}/broken`), { 'og:title': 'broken' })
    assert.deepEqual(await failure(`${site.url}/nothing`), FAILED)
  })

  it('is left when the server stops', async () => {
    const [driver] = await findServerDrivers()
    const other = await openPreviews(driver!)
    let closed: Promise<unknown> | undefined
    site.pages.set('/stop', (_request, response) => {
      closed = once(response, 'close')
      response.writeHead(200, { 'content-type': 'text/html' }).write('<p>')
    })
    const asked = other.ask(`${site.url}/stop`)
    while (closed === undefined) await systemClock.sleep(5)
    await other[Symbol.asyncDispose]()
    await closed
    assert.equal((await asked).status, 502)
  })
})

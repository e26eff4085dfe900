import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import type { Mxc } from '@causeway/matrix/ids/ids.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { routesOf } from '../server.ts'
import { findPreview } from '../previews/find-preview.ts'
import { forgetPreviews } from '../previews/forget-previews.ts'
import { file, html, openPreviews, redirect, startSite, type TestSite } from '../previews/test-site.ts'
import { UNLIMITED } from '../limits/test-limits.ts'
import { findServerDrivers, testConfig } from '../test-server.ts'
import { holdAnswers } from '../test-held-database.ts'
import { openTestPeople } from './test-people.ts'

const HOUR = 3_600_000

let site: TestSite
let picture: Buffer

before(async () => {
  site = await startSite()
  picture = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#369' } })
    .png()
    .toBuffer()
})
beforeEach(() => {
  site.pages.clear()
  site.asked.length = 0
  site.pages.set('/pictures/rock.png', file('image/png', picture))
})
after(() => site[Symbol.asyncDispose]())

const ROCK = `<html prefix="og: http://ogp.me/ns#"><head><title>The Rock (1996)</title>
  <meta property="og:title" content="The &lt;Rock&gt;"><meta property="og:type" content="video.movie">
  <meta property="og:url" content="http://www.imdb.com/title/tt0117500/">
  <meta property="og:image" content="pictures/rock.png"><meta property="og:image:width" content="9999">
  </head><body></body></html>`

for (const driver of await findServerDrivers()) {
  describe(`previews of pages on ${driver.name}`, { skip: driver.skip }, () => {
    it('tell what the page says, with its picture as media of this server', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/rock', html(ROCK))
      const preview = await previews.preview(`${site.url}/rock#part`)
      const mxc = preview['og:image'] as Mxc
      assert.deepEqual(preview, {
        'og:title': 'The <Rock>',
        'og:type': 'video.movie',
        'og:url': 'http://www.imdb.com/title/tt0117500/',
        'og:image': mxc,
        'og:image:type': 'image/png',
        'og:image:width': 40,
        'og:image:height': 30,
        'matrix:image:size': picture.length,
      })
      const { serverName, mediaId } = splitMxc(mxc)
      const { token } = await previews.server.register('bob')
      const media = await previews.server.request(
        'GET',
        `/_matrix/client/v1/media/download/${serverName}/${mediaId}`,
        { token },
      )
      assert.deepEqual(Buffer.from(media.bytes), picture)
      assert.equal(media.headers['content-type'], 'image/png')
    })

    it('are fetched once for all who ask at the same time, and kept for an hour', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/rock', html(ROCK))
      const first = await Promise.all(Array.from({ length: 5 }, () => previews.preview(`${site.url}/rock`)))
      for (const one of first) assert.deepEqual(one, first[0])
      previews.pass(HOUR - 60_000)
      assert.deepEqual(await previews.preview(`${site.url}/rock`), first[0])
      assert.deepEqual(site.asked, ['/rock', '/pictures/rock.png'])
      previews.pass(120_000)
      // The same picture keeps its id: what clients hold of it stays good.
      assert.deepEqual(await previews.preview(`${site.url}/rock`), first[0])
      assert.equal(site.asked.length, 4)
    })

    it('are not fetched again by who looked before another had fetched them', async () => {
      await using previews = await openPreviews(driver)
      const { hs } = previews.server
      site.pages.set('/rock', html(ROCK))
      const { db, hold } = holdAnswers(hs.db)
      const held = hold(/FROM url_previews/)
      const late = findPreview({ ...hs, db }, `${site.url}/rock`, 'en')
      await held.read
      const first = await findPreview(hs, `${site.url}/rock`, 'en')
      held.release()
      assert.equal(await late, first)
      assert.deepEqual(site.asked, ['/rock', '/pictures/rock.png'])
    })

    it('are kept as long as the page says, at most a day', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/long', html('<title>long</title>', { 'cache-control': 'public, max-age=999999' }))
      await previews.preview(`${site.url}/long`)
      previews.pass(23 * HOUR)
      await previews.preview(`${site.url}/long`)
      assert.equal(site.asked.length, 1)
      previews.pass(2 * HOUR)
      await previews.preview(`${site.url}/long`)
      assert.equal(site.asked.length, 2)
    })

    it('go with their pictures when nobody asks any more', async () => {
      await using previews = await openPreviews(driver)
      const { db, blobs } = previews.server.hs
      site.pages.set('/rock', html(ROCK))
      await previews.preview(`${site.url}/rock`)
      const [{ hash }] = (await db.query('SELECT hash FROM media', [])) as [{ hash: string }]
      const counts = async (): Promise<number[]> => {
        const tables = ['url_previews', 'url_preview_images', 'media']
        const rows = await Promise.all(tables.map((name) => db.query(`SELECT 1 AS one FROM ${name}`, [])))
        return rows.map(({ length }) => length)
      }
      const chore = forgetPreviews(previews.server.hs)
      await chore.run()
      assert.deepEqual(await counts(), [1, 1, 1])
      previews.pass(26 * HOUR)
      await chore.run()
      assert.deepEqual(await counts(), [0, 1, 1], 'a picture outlives its preview')
      previews.pass(24 * HOUR)
      await chore.run()
      assert.deepEqual(await counts(), [0, 0, 0])
      assert.equal(await blobs.stat(hash), undefined)
    })

    it('do without a picture that fails, and try it again soon', async () => {
      await using previews = await openPreviews(driver)
      const page = (image: string): string =>
        `<title>Words</title><meta property=og:image content="${image}">`
      site.pages.set('/huge.png', file('image/png', Buffer.concat([picture, Buffer.alloc(200_000)])))
      site.pages.set(
        '/script.svg',
        file('image/svg+xml', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
      )
      site.pages.set('/broken.png', file('image/png', picture.subarray(0, 20)))
      site.pages.set('/text.png', file('image/png', Buffer.from('no picture at all')))
      for (const image of [
        '/huge.png',
        '/script.svg',
        '/broken.png',
        '/text.png',
        '/missing.png',
        'mailto:x',
        '/',
      ])
        site.pages.set(`/page?${image}`, html(page(image)))
      for (const image of [
        '/huge.png',
        '/script.svg',
        '/broken.png',
        '/text.png',
        '/missing.png',
        'mailto:x',
        '/',
      ])
        assert.deepEqual(await previews.preview(`${site.url}/page?${image}`), { 'og:title': 'Words' }, image)
      const stored = await previews.server.hs.db.query('SELECT 1 AS one FROM media', [])
      assert.equal(stored.length, 0)
      site.pages.set('/missing.png', file('image/png', picture))
      previews.pass(11 * 60_000)
      const later = await previews.preview(`${site.url}/page?/missing.png`)
      assert.equal(later['matrix:image:size'], picture.length)
    })

    it('show a link to a picture as this picture', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/a%20rock.png', file('image/png', picture))
      const preview = await previews.preview(`${site.url}/a%20rock.png`)
      assert.equal(preview['og:title'], 'a rock.png')
      assert.equal(preview['og:image:width'], 40)
    })

    it('are empty for what is neither page nor picture', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/data', file('application/octet-stream', picture))
      assert.deepEqual(await previews.preview(`${site.url}/data`), {})
    })

    it('are answered by the one before while the page fails, and a failure is not asked about again at once', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/rock', html(ROCK))
      const first = await previews.preview(`${site.url}/rock`)
      site.pages.set('/rock', (_request, response) => void response.writeHead(500).end())
      previews.pass(2 * HOUR)
      assert.deepEqual(await previews.preview(`${site.url}/rock`), first)
      assert.deepEqual(await previews.preview(`${site.url}/rock`), first)
      assert.equal(site.asked.length, 3)

      const missing = await previews.ask(`${site.url}/missing`)
      assert.equal(missing.status, 502)
      assert.equal(missing.json()['errcode'], 'M_UNKNOWN')
      site.pages.set('/missing', html('<title>here</title>'))
      assert.equal((await previews.ask(`${site.url}/missing`)).status, 502)
      previews.pass(6 * 60_000)
      assert.deepEqual(await previews.preview(`${site.url}/missing`), { 'og:title': 'here' })
    })

    it('are asked for in the languages of who asks', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/words', (request, response) =>
        html(`<title>${request.headers['accept-language']}</title>`)(request, response),
      )
      const titles = []
      for (const language of ['de-CH,de;q=0.9,en;q=0.1', 'de-ch, de ;q=0.3,en', undefined, '*, \u00ff=;'])
        titles.push(
          await previews.preview(
            `${site.url}/words`,
            language === undefined ? {} : { 'accept-language': language },
          ),
        )
      const german = { 'og:title': 'de-ch, de;q=0.8, en;q=0.7' }
      assert.deepEqual(titles, [german, german, { 'og:title': 'en' }, { 'og:title': 'en' }])
      assert.equal(site.asked.length, 2)
    })

    it('follow redirects, and read what is compressed', async () => {
      await using previews = await openPreviews(driver)
      site.pages.set('/old', redirect('/deep/new'))
      site.pages.set(
        '/deep/new',
        html(gzipSync('<title>new</title><meta name=twitter:image content=../pictures/rock.png>'), {
          'content-encoding': 'gzip',
        }),
      )
      const preview = await previews.preview(`${site.url}/old`)
      assert.equal(preview['og:title'], 'new')
      assert.equal(preview['og:image:height'], 30)
    })

    it('ask the oEmbed document of a page that says little', async () => {
      await using previews = await openPreviews(driver)
      const link = '<link rel=alternate type="application/json+oembed" href="/oembed?of=toot&amp;more=1">'
      site.pages.set('/toot', html(`<title>Toot</title>${link}`))
      site.pages.set('/oembed?of=toot&more=1', (_request, response) =>
        response.end(
          JSON.stringify({
            version: '1.0',
            type: 'rich',
            title: 'A toot',
            provider_name: 'Tooter',
            thumbnail_url: `${site.url}/pictures/rock.png`,
            html: '<blockquote><p>These are the words that somebody tooted into the world.</p></blockquote>',
          }),
        ),
      )
      const { 'og:image': image, ...words } = await previews.preview(`${site.url}/toot`)
      assert.match(image as string, /^mxc:/)
      assert.deepEqual(words, {
        'og:title': 'A toot',
        'og:description': 'These are the words that somebody tooted into the world.',
        'og:site_name': 'Tooter',
        'og:image:type': 'image/png',
        'og:image:width': 40,
        'og:image:height': 30,
        'matrix:image:size': picture.length,
      })
      site.pages.set(
        '/bare',
        html(`<title>Bare</title><link rel=alternate type=application/json+oembed href=/no>`),
      )
      assert.deepEqual(await previews.preview(`${site.url}/bare`), { 'og:title': 'Bare' })
    })

    it('are refused for what is no web address', async () => {
      await using previews = await openPreviews(driver)
      const bad = [
        '',
        'rock',
        'ftp://example.org/',
        'file:///etc/passwd',
        'data:text/html,x',
        'http://a:b@c.test/',
      ]
      for (const url of [...bad, `http://c.test/${'x'.repeat(2000)}`, 'http://[::1'])
        assert.equal((await previews.ask(url)).json()['errcode'], 'M_INVALID_PARAM', url)
      const { server } = previews
      const nobody = await server.request('GET', '/_matrix/media/v3/preview_url?url=http://c.test/')
      assert.equal(nobody.json()['errcode'], 'M_MISSING_TOKEN')
    })

    it('are given on the older paths too, to who has an account', async () => {
      await using previews = await openPreviews(driver)
      const { token } = await previews.server.register('older')
      site.pages.set('/older', html('<title>Older</title>'))
      for (const version of ['v3', 'r0', 'v1']) {
        const path = `/_matrix/media/${version}/preview_url?url=${encodeURIComponent(`${site.url}/older`)}`
        const answer = await previews.server.request('GET', path, { token })
        assert.deepEqual([answer.status, answer.json()], [200, { 'og:title': 'Older' }], version)
      }
    })

    it('are made of hosts that the operator wants, at ports of the web', async () => {
      const names = new Map(['good.test', 'bad.test', 'sub.bad.test'].map((name) => [name, ['127.0.0.1']]))
      await using previews = await openPreviews(driver, { denied_hosts: ['bad.test', '*.bad.test'] }, names)
      site.pages.set('/', html('<title>home</title>'))
      site.pages.set('/away', redirect(`http://BAD.test.:${site.port}/`))
      const at = (host: string, rest = '/'): string => `http://${host}:${site.port}${rest}`
      assert.deepEqual(await previews.preview(at('good.test')), { 'og:title': 'home' })
      site.asked.length = 0
      for (const url of [
        at('bad.test'),
        at('sub.BAD.test'),
        at('bad.test.'),
        'http://good.test:25/',
        'http://good.test:6667/',
      ])
        assert.equal((await previews.ask(url)).json()['errcode'], 'M_FORBIDDEN', url)
      assert.equal((await previews.ask(at('good.test', '/away'))).json()['errcode'], 'M_FORBIDDEN')
      assert.deepEqual(site.asked, ['/away'])

      await using few = await openPreviews(driver, { allowed_hosts: ['good.test'] }, names)
      assert.equal((await few.ask(at('sub.bad.test'))).json()['errcode'], 'M_FORBIDDEN')
      assert.equal((await few.ask(at('good.test'))).status, 200)
    })

    it('respect robots.txt where the operator says so', async () => {
      await using previews = await openPreviews(driver, { obey_robots: true })
      site.pages.set('/robots.txt', file('text/plain', Buffer.from('User-agent: *\nDisallow: /private')))
      site.pages.set('/private', html('<title>secret</title>'))
      site.pages.set('/open', html('<title>open</title><meta property=og:image content=/private/a.png>'))
      assert.equal((await previews.ask(`${site.url}/private`)).json()['errcode'], 'M_FORBIDDEN')
      assert.deepEqual(await previews.preview(`${site.url}/open`), { 'og:title': 'open' })
      assert.deepEqual(site.asked, ['/robots.txt', '/open'])
    })

    it('are limited for each person', async () => {
      await using people = await openTestPeople(driver, {
        rate_limits: { ...UNLIMITED, preview: { per_second: 0.001, burst: 2 } },
      })
      const ask = async (who: string): Promise<number> =>
        (await people.send(who, { method: 'GET', url: '/_matrix/client/v1/media/preview_url?url=ftp://x' }))
          .status
      assert.deepEqual([await ask('alice'), await ask('alice'), await ask('alice')], [400, 400, 429])
      assert.equal(await ask('bob'), 400)
    })
  })
}

describe('previews of pages', () => {
  it('are fetched over TLS from whoever has the certificate for the name', async () => {
    const authority = makeAuthority()
    const { key, certificate: cert } = authority.issue('right.test')
    const server = createServer({ key, cert }, (request, response) =>
      html('<title>safe</title>')(request, response),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const folder = await mkdtemp(path.join(tmpdir(), 'preview-'))
    try {
      const { port } = server.address() as AddressInfo
      const authorities = path.join(folder, 'ca.pem')
      await writeFile(authorities, authority.certificate)
      const names = new Map(['right.test', 'wrong.test'].map((name) => [name, ['127.0.0.1']]))
      const [driver] = await findServerDrivers()
      const config = testConfig(folder, {}).federation
      await using previews = await openPreviews(driver!, {}, names, {
        federation: { ...config, ca_certificates: [authorities] },
      })
      assert.deepEqual(await previews.preview(`https://right.test:${port}/`), { 'og:title': 'safe' })
      assert.equal((await previews.ask(`https://wrong.test:${port}/`)).status, 502)
    } finally {
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true })
    }
  })

  it('are not there where the operator wants none', () => {
    const { url_previews: previews, federation } = testConfig('/nowhere', {})
    const offered = (enabled: boolean): boolean =>
      routesOf({ federation, url_previews: { ...previews, enabled } }).some(
        ({ operation }) => operation === 'getUrlPreview',
      )
    assert.deepEqual([offered(true), offered(false)], [true, false])
  })
})

import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import sharp from 'sharp'
import type { Mxc, UserId } from '@causeway/matrix/ids/ids.ts'
import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { startListeners } from '../http/listen.ts'
import { deleteMedia, deleteMediaOf } from '../media/delete-media.ts'
import { findMedia } from '../media/find-media.ts'
import type { UploadWaiters } from '../media/media-state.ts'
import { publicMediaUrl } from '../media/public-link.ts'
import { quarantineMedia, quarantineMediaOf, releaseMedia } from '../media/quarantine.ts'
import { createPending, fillPending } from '../media/upload.ts'
import { holdAnswers } from '../test-held-database.ts'
import { findServerDrivers, type ServerDriver } from '../test-server.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

async function openMedia(driver: ServerDriver): Promise<TestPeople> {
  const server = await openTestPeople(driver, { public_base_url: 'https://matrix.test' })
  Object.assign(server.hs.config.media, { max_upload_size: 1024 * 1024, max_image_pixels: 4_000_000 })
  return server
}

async function upload(
  server: TestPeople,
  body: Uint8Array | string,
  type = 'text/plain',
  filename?: string,
): Promise<Mxc> {
  const name = filename === undefined ? '' : `?filename=${encodeURIComponent(filename)}`
  const answer = await server.send('alice', {
    method: 'POST',
    url: `/_matrix/media/v3/upload${name}`,
    headers: { 'content-type': type },
    body,
  })
  assert.equal(answer.status, 200, JSON.stringify(answer.json()))
  return answer.json()['content_uri'] as Mxc
}

const pathOf = (mxc: Mxc): string => `${splitMxc(mxc).serverName}/${splitMxc(mxc).mediaId}`

function get(
  server: TestPeople,
  url: string,
  headers: Record<string, string> = {},
  who: string | undefined = 'bob',
): Promise<DispatchResponse> {
  return server.send(who, { method: 'GET', url, headers })
}

function download(server: TestPeople, mxc: Mxc, rest = '', headers = {}): Promise<DispatchResponse> {
  return get(server, `/_matrix/client/v1/media/download/${pathOf(mxc)}${rest}`, headers)
}

function thumbnail(server: TestPeople, mxc: Mxc, query: string): Promise<DispatchResponse> {
  return get(server, `/_matrix/client/v1/media/thumbnail/${pathOf(mxc)}?${query}`)
}

const text = ({ bytes }: DispatchResponse): string => Buffer.from(bytes).toString()

function picture(width: number, height: number, alpha = 1): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 4, background: { r: 9, g: 99, b: 199, alpha } } })
    .png()
    .toBuffer()
}

/** A moving picture of 4 × 4 pixels. */
function longAnimation(frames: number): Promise<Buffer> {
  const pixels = Buffer.alloc(frames * 4 * 4 * 3)
  for (let at = 0; at < pixels.length; at++) pixels[at] = Math.floor(at / 48) % 2 === 0 ? 0 : 255
  const raw = { width: 4, height: 4 * frames, channels: 3 as const, pageHeight: 4 }
  return sharp(pixels, { raw }).gif({ effort: 1, keepDuplicateFrames: true }).toBuffer()
}

/** Two frames of one color each. */
function animation(): Promise<Buffer> {
  const frames = Buffer.concat([Buffer.alloc(400 * 300 * 4, 255), Buffer.alloc(400 * 300 * 4, 90)])
  const raw = { width: 400, height: 600, channels: 4 as const, pageHeight: 300 }
  return sharp(frames, { raw })
    .gif({ delay: [100, 100] })
    .toBuffer()
}

for (const driver of await findServerDrivers()) {
  describe(`media on ${driver.name}`, { skip: driver.skip }, () => {
    it('gives back what was uploaded, with its type and name', async () => {
      await using server = await openMedia(driver)
      for (const name of ['ascii', 'name with spaces', 'name;with;semicolons', 'a "quoted" \\ one']) {
        const answer = await download(server, await upload(server, 'hello', 'text/plain', name))
        assert.equal(text(answer), 'hello')
        assert.equal(answer.headers['content-type'], 'text/plain')
        const quoted = name.replaceAll(/["\\]/g, '\\$&')
        assert.equal(answer.headers['content-disposition'], `inline; filename="${quoted}"`)
      }
      const chicken = await download(server, await upload(server, 'x', 'img/png', '\u{1F414}\r\nx: y'))
      assert.equal(chicken.headers['content-type'], 'img/png')
      assert.equal(
        chicken.headers['content-disposition'],
        "attachment; filename*=utf-8''%F0%9F%90%94x%3A%20y",
      )
      const renamed = await download(server, await upload(server, 'x', 'text/plain', 'a.txt'), '/b%E2%98%95')
      assert.equal(renamed.headers['content-disposition'], "inline; filename*=utf-8''b%E2%98%95")
    })

    it('lets browsers show only harmless types, and run nothing', async () => {
      await using server = await openMedia(driver)
      const shown = await download(server, await upload(server, 'x', 'Text/Plain; charset=utf-8'))
      assert.equal(shown.headers['content-disposition'], 'inline')
      for (const type of ['text/html', 'image/svg+xml', 'application/pdf', 'application/xhtml+xml']) {
        const answer = await download(server, await upload(server, '<script>', type))
        assert.equal(answer.headers['content-disposition'], 'attachment')
        assert.match(answer.headers['content-security-policy']!, /^sandbox; default-src 'none'/)
        assert.equal(answer.headers['x-content-type-options'], 'nosniff')
        assert.equal(answer.headers['cross-origin-resource-policy'], 'cross-origin')
      }
    })

    it('answers ranges and conditional requests', async () => {
      await using server = await openMedia(driver)
      const mxc = await upload(server, '0123456789')
      const part = await download(server, mxc, '', { range: 'bytes=2-4' })
      assert.deepEqual([part.status, text(part)], [206, '234'])
      assert.equal(part.headers['content-range'], 'bytes 2-4/10')
      const again = await download(server, mxc, '', { 'if-none-match': part.headers['etag']! })
      assert.deepEqual([again.status, text(again)], [304, ''])
      const beyond = await download(server, mxc, '', { range: 'bytes=20-' })
      assert.equal(beyond.status, 416)
    })

    it('asks for an account, except on the older paths while those are open', async () => {
      await using server = await openMedia(driver)
      Object.assign(server.hs.config.media, { unauthenticated_downloads: true })
      const mxc = await upload(server, 'x')
      const closed = await server.send(undefined, {
        method: 'GET',
        url: `/_matrix/client/v1/media/download/${pathOf(mxc)}`,
      })
      assert.equal(closed.status, 401)
      const older = { method: 'GET', url: `/_matrix/media/v3/download/${pathOf(mxc)}` }
      assert.equal((await server.send(undefined, older)).status, 200)
      for (const root of ['/_matrix/media/v3', '/_matrix/media/r0', '/_matrix/media/v1']) {
        const named = await get(server, `${root}/download/${pathOf(mxc)}/other.txt`, {}, undefined)
        assert.deepEqual([named.status, text(named)], [200, 'x'], root)
        assert.match(named.headers['content-disposition']!, /filename="?other\.txt/)
      }
      const shown = await upload(server, await picture(64, 64), 'image/png')
      const url = `/_matrix/media/v3/thumbnail/${pathOf(shown)}?width=32&height=32&method=crop`
      const small = await get(server, url, {}, undefined)
      assert.equal(small.status, 200)
      assert.equal((await sharp(small.bytes).metadata()).width, 32)
      Object.assign(server.hs.config.media, { unauthenticated_downloads: false })
      const frozen = { method: 'GET', url: `/_matrix/media/v3/download/${pathOf(await upload(server, 'y'))}` }
      assert.equal((await server.send(undefined, frozen)).status, 404)
      assert.equal((await server.send(undefined, older)).status, 200)
    })

    it('says when another server cannot be reached, and takes no ids that are none', async () => {
      await using server = await openMedia(driver)
      for (const [path, status] of [
        ['elsewhere.example/abc', 502],
        ['test.example/unknown', 404],
        ['test.example/..%2F..%2Fetc', 400],
        ['bad%20name/abc', 400],
      ] as const) {
        const answer = await get(server, `/_matrix/client/v1/media/download/${path}`)
        assert.equal(answer.status, status, path)
      }
    })

    it('keeps ids for content that comes later, for who made them, once', async () => {
      await using server = await openMedia(driver)
      const made = await server.call('alice', 'POST', '/_matrix/media/v1/create', {})
      const mxc = made['content_uri'] as Mxc
      assert.ok((made['unused_expires_at'] as number) > systemClock.now())
      const early = await download(server, mxc, '?timeout_ms=1')
      assert.deepEqual([early.status, early.json()['errcode']], [504, 'M_NOT_YET_UPLOADED'])
      const put = (who: string): Promise<DispatchResponse> =>
        server.send(who, {
          method: 'PUT',
          url: `/_matrix/media/v3/upload/${pathOf(mxc)}?filename=late.txt`,
          headers: { 'content-type': 'text/plain' },
          body: 'late',
        })
      assert.equal((await put('bob')).status, 403)
      const waiting = download(server, mxc, '?timeout_ms=30000')
      assert.equal((await put('alice')).status, 200)
      assert.equal(text(await waiting), 'late')
      const second = await put('alice')
      assert.deepEqual([second.status, second.json()['errcode']], [409, 'M_CANNOT_OVERWRITE_MEDIA'])
    })

    it('does not wait for content that came between a look and the wait', async () => {
      await using server = await openMedia(driver)
      const { hs } = server
      await server.tokenOf('alice')
      const alice = '@alice:test.example' as UserId
      const { mxc } = await createPending(hs, alice)
      const { serverName, mediaId } = splitMxc(mxc)
      const { db, hold } = holdAnswers(hs.db)
      // Nothing ends this wait but the content: it came before, and wakes nobody again.
      const wait: UploadWaiters['wait'] = (_id, _ms, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
      const media = { ...hs.media, waiters: { ...hs.media.waiters, wait } }
      const held = hold(/FROM media WHERE/)
      const request = { serverName, mediaId, timeoutMs: 60_000, onlyOpen: false }
      const found = findMedia({ ...hs, db, media }, request, new AbortController().signal)
      await held.read
      const source = Readable.from([Buffer.from('late')])
      await fillPending(hs, alice, mediaId, { source, contentType: 'text/plain', filename: '' })
      held.release()
      assert.equal((await found).size, 4)
    })

    it('makes thumbnails of the standard sizes, never larger than the picture, and keeps them', async () => {
      await using server = await openMedia(driver)
      const mxc = await upload(server, await picture(1000, 500), 'image/png')
      const sizeOf = async (query: string): Promise<unknown[]> => {
        const answer = await thumbnail(server, mxc, query)
        assert.equal(answer.status, 200)
        assert.match(answer.headers['content-disposition']!, /^inline; filename="thumbnail\.(png|jpeg)"$/)
        const { width, height, format } = await sharp(answer.bytes).metadata()
        assert.equal(answer.headers['content-type'], `image/${format}`)
        return [width, height]
      }
      assert.deepEqual(await sizeOf('width=32&height=32&method=crop'), [32, 32])
      assert.deepEqual(await sizeOf('width=100&height=100&method=scale'), [320, 160])
      assert.deepEqual(await sizeOf('width=700&height=500'), [800, 400])
      assert.deepEqual(await sizeOf('width=5000&height=5000'), [1000, 500])
      const { decoders } = server.hs.media
      Object.assign(server.hs.media, { decoders: { run: () => assert.fail('decoded again') } })
      assert.deepEqual(await sizeOf('width=20&height=30&method=crop'), [32, 32])
      Object.assign(server.hs.media, { decoders })
    })

    it('moves thumbnails of animations only when asked to', async () => {
      await using server = await openMedia(driver)
      const mxc = await upload(server, await animation(), 'image/gif')
      const moving = await thumbnail(server, mxc, 'width=96&height=96&animated=true')
      assert.equal(moving.headers['content-type'], 'image/webp')
      assert.equal((await sharp(moving.bytes).metadata()).pages, 2)
      for (const query of ['animated=false&width=96&height=96', 'width=4000&height=4000']) {
        const still = await thumbnail(server, mxc, query)
        assert.ok(((await sharp(still.bytes).metadata()).pages ?? 1) === 1)
        assert.notEqual(still.headers['content-type'], 'image/gif')
      }
    })

    it('moves no thumbnail of an animation with a thousand frames and more', async () => {
      await using server = await openMedia(driver)
      for (const [frames, moving] of [
        [1_000, true],
        [1_001, false],
      ] as const) {
        const bytes = await longAnimation(frames)
        assert.equal((await sharp(bytes).metadata()).pages, frames)
        const mxc = await upload(server, bytes, 'image/gif')
        const made = await thumbnail(server, mxc, 'width=96&height=96&animated=true')
        assert.equal(made.status, 200)
        assert.equal(((await sharp(made.bytes).metadata()).pages ?? 1) > 1, moving)
      }
    })

    it('makes no thumbnail of what is no picture, broken, or too many pixels', async () => {
      await using server = await openMedia(driver)
      const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
      const broken = (await picture(300, 300)).subarray(0, 60)
      for (const [body, status] of [
        ['no picture', 400],
        [svg, 400],
        [broken, 400],
        ['', 400],
        [await picture(3000, 3000), 413],
      ] as const) {
        const mxc = await upload(server, body, 'image/png')
        const answer = await thumbnail(server, mxc, 'width=96&height=96')
        assert.equal(answer.status, status)
        assert.ok(['M_UNKNOWN', 'M_TOO_LARGE'].includes(answer.json()['errcode'] as string))
      }
      const mxc = await upload(server, await picture(9, 9), 'image/png')
      for (const query of ['width=0&height=9', 'width=a&height=9', 'height=9', 'width=9&height=9&method=x']) {
        assert.equal((await thumbnail(server, mxc, query)).status, 400, query)
      }
    })

    it('gives links that work without an account until they expire, and only for what they were made for', async () => {
      await using server = await openMedia(driver)
      const mxc = await upload(server, 'for everybody', 'text/plain', 'menu of the day.txt')
      const other = await upload(server, 'secret')
      const url = (await publicMediaUrl(server.hs, mxc, 3_600_000))!
      assert.match(
        url,
        /^https:\/\/matrix\.test\/_causeway\/media\/\d+-[\w-]{22}\/\w+\/menu%20of%20the%20day\.txt$/,
      )
      const path = url.slice('https://matrix.test'.length)
      const open = (at: string): Promise<DispatchResponse> =>
        server.send(undefined, { method: 'GET', url: at })
      assert.equal(text(await open(path)), 'for everybody')
      const [grant, mediaId] = path.split('/').slice(3)
      const [expiry, signature] = [grant!.split('-')[0]!, grant!.slice(grant!.indexOf('-') + 1)]
      for (const forged of [
        path.replace(mediaId!, splitMxc(other).mediaId),
        path.replace(expiry, String(Number(expiry) + 3_600_000)),
        path.replace(signature, 'A'.repeat(22)),
        path.replace(grant!, expiry),
      ]) {
        assert.equal((await open(forged)).status, 404, forged)
      }
      const expired = (await publicMediaUrl(server.hs, mxc, -1))!
      assert.equal((await open(expired.slice('https://matrix.test'.length))).status, 404)
      assert.equal(await publicMediaUrl(server.hs, 'mxc://elsewhere.example/abc' as Mxc, 1000), undefined)
    })

    it('deletes content with its thumbnails, but not what another upload shares', async () => {
      await using server = await openMedia(driver)
      const bytes = await picture(640, 640)
      const first = await upload(server, bytes, 'image/png')
      const second = await upload(server, bytes, 'image/png')
      await thumbnail(server, first, 'width=96&height=96')
      assert.equal(await deleteMedia(server.hs, splitMxc(first).mediaId), true)
      assert.equal((await download(server, first)).status, 404)
      assert.equal((await download(server, second)).status, 200)
      assert.equal(await deleteMediaOf(server.hs, '@alice:test.example'), 1)
      assert.equal((await download(server, second)).status, 404)
      assert.equal(await deleteMedia(server.hs, splitMxc(first).mediaId), false)
      for await (const blob of server.hs.blobs.list()) assert.fail(`${blob.hash} is left`)
    })

    it('gives nobody what is quarantined, under no address, and takes it no more, until it is released', async () => {
      await using server = await openMedia(driver)
      const bytes = await picture(200, 200)
      const first = await upload(server, bytes, 'image/png')
      const second = await upload(server, bytes, 'image/png', 'another name')
      const other = await upload(server, 'harmless')
      await thumbnail(server, first, 'width=96&height=96')
      const link = (await publicMediaUrl(server.hs, first, 3_600_000))!.slice('https://matrix.test'.length)
      const place = { serverName: 'test.example', mediaId: splitMxc(first).mediaId }
      assert.equal(await quarantineMedia(server.hs, place, 'somebody'), 'quarantined')
      for (const answer of [
        await download(server, first),
        await download(server, second),
        await thumbnail(server, first, 'width=96&height=96'),
        await thumbnail(server, second, 'width=320&height=240'),
        await server.send(undefined, { method: 'GET', url: link }),
      ]) {
        assert.equal(answer.status, 404)
        assert.equal(answer.json()['errcode'], 'M_NOT_FOUND')
      }
      assert.equal((await download(server, other)).status, 200)
      const again = await server.send('bob', { method: 'POST', url: '/_matrix/media/v3/upload', body: bytes })
      assert.equal(again.status, 403)
      assert.equal(again.json()['errcode'], 'M_FORBIDDEN')
      assert.equal(await releaseMedia(server.hs, place), true)
      assert.equal(await releaseMedia(server.hs, place), false)
      assert.ok(Buffer.from((await download(server, second)).bytes).equals(bytes))
    })

    it('keeps nothing of an upload that is quarantined, also when its media was deleted', async () => {
      await using server = await openMedia(driver)
      const mxc = await upload(server, 'evil')
      assert.equal(await quarantineMediaOf(server.hs, '@alice:test.example', 'somebody'), 1)
      await deleteMedia(server.hs, splitMxc(mxc).mediaId)
      const { mxc: pending } = await createPending(server.hs, '@bob:test.example' as UserId)
      const { serverName, mediaId } = splitMxc(pending)
      for (const [method, url] of [
        ['POST', '/_matrix/media/v3/upload'],
        ['PUT', `/_matrix/media/v3/upload/${serverName}/${mediaId}`],
      ] as const) {
        const answer = await server.send('bob', { method, url, body: Buffer.from('evil') })
        assert.deepEqual([answer.status, answer.json()['errcode']], [403, 'M_FORBIDDEN'])
      }
      for await (const blob of server.hs.blobs.list()) assert.fail(`${blob.hash} is left`)
    })

    it('takes no more than the quota of a person, whatever comes at once, and frees it with what goes', async () => {
      await using server = await openMedia(driver)
      Object.assign(server.hs.config.media, { max_size_per_user: 1_000 })
      const send = (who: string, size: number, fill: number): Promise<DispatchResponse> =>
        server.send(who, {
          method: 'POST',
          url: '/_matrix/media/v3/upload',
          body: Buffer.alloc(size, fill),
        })
      const first = (await send('alice', 600, 1)).json()['content_uri'] as Mxc
      const refused = await send('alice', 401, 2)
      assert.deepEqual([refused.status, refused.json()['errcode']], [403, 'M_FORBIDDEN'])
      assert.match(refused.json()['error'] as string, /1000 bytes in all/)
      const answers = await Promise.all([3, 4, 5, 6].map((fill) => send('alice', 300, fill)))
      assert.equal(answers.filter(({ status }) => status === 403).length, 3)
      assert.equal((await send('bob', 1_000, 7)).status, 200)
      assert.equal((await send('bob', 1, 7)).status, 403)
      await deleteMedia(server.hs, splitMxc(first).mediaId)
      assert.equal((await send('alice', 700, 8)).status, 200)
      const sizes: number[] = []
      for await (const { size } of server.hs.blobs.list()) sizes.push(size)
      assert.deepEqual(
        sizes.toSorted((a, b) => a - b),
        [300, 700, 1_000],
      )
    })

    it('counts what a person uploads within a day', async () => {
      let now = Date.UTC(2026, 5, 1)
      const clock = { ...systemClock, now: () => now }
      await using server = await openTestPeople(driver, {}, clock)
      Object.assign(server.hs.config.media, { max_upload_size: 1_000, max_size_per_user_and_day: 100 })
      const statusOf = async (size: number): Promise<number> => {
        const body = Buffer.alloc(size, size)
        return (await server.send('alice', { method: 'POST', url: '/_matrix/media/v3/upload', body })).status
      }
      assert.equal(await statusOf(60), 200)
      now += 20 * 3_600_000
      assert.equal(await statusOf(41), 403)
      assert.equal(await statusOf(40), 200)
      now += 5 * 3_600_000
      assert.equal(await statusOf(61), 403)
      assert.equal(await statusOf(59), 200)
    })

    it('says what the largest upload is', async () => {
      await using server = await openMedia(driver)
      for (const path of ['/_matrix/client/v1/media/config', '/_matrix/media/v3/config']) {
        assert.deepEqual(await server.call('alice', 'GET', path), { 'm.upload.size': 1024 * 1024 })
      }
    })

    it('refuses what is too large while it comes, and keeps nothing of broken uploads', async () => {
      await using server = await openMedia(driver)
      const listeners = await startListeners({
        addresses: [{ host: '127.0.0.1', port: 0 }],
        handle: (request, response) => server.router.handle(request, response),
        clock: systemClock,
      })
      try {
        const url = `${listeners.urls[0]!}/_matrix/media/v3/upload`
        const headers = {
          authorization: `Bearer ${await server.tokenOf('alice')}`,
          'content-type': 'text/plain',
        }
        // In pieces, so that the length is not known before the end.
        const large = new Blob(Array.from({ length: 40 }, () => 'x'.repeat(64 * 1024))).stream()
        const refused = await fetch(url, {
          method: 'POST',
          headers,
          body: large,
          duplex: 'half',
        } as RequestInit)
        assert.equal(refused.status, 413)
        assert.equal(((await refused.json()) as { errcode: string }).errcode, 'M_TOO_LARGE')
        await new Promise<void>((resolve) => {
          const broken = httpRequest(url, { method: 'POST', headers: { ...headers, 'content-length': 1000 } })
          broken.on('error', () => resolve()).on('close', () => resolve())
          broken.write('only the beginning', () => broken.destroy())
        })
        const whole = await fetch(url, { method: 'POST', headers, body: 'whole' })
        assert.equal(whole.status, 200)
      } finally {
        server.router.stop()
        await listeners.stop()
      }
      const sizes: number[] = []
      for await (const blob of server.hs.blobs.list()) sizes.push(blob.size)
      assert.deepEqual(sizes, ['whole'.length])
    })
  })
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { FederationStream } from '../../federation/federation-client.ts'
import {
  createTestPeers,
  piecesOf,
  refused,
  unreachable,
  type TestPeers,
} from '../../federation/test-peers.ts'
import type { DispatchResponse } from '../../http/dispatch.ts'
import { holdAnswers } from '../../test-held-database.ts'
import type { Slots } from '@causeway/store/cache/slots.ts'
import { findRemoteMediaRow } from '@causeway/store/tables/remote-media.ts'
import { quarantineMedia } from '../quarantine.ts'
import { findThumbnail } from '../thumbnails.ts'
import { deleteRemoteMedia, limitRemoteMedia } from './forget-remote-media.ts'
import { findRemoteMedia } from './find-remote-media.ts'
import { findServerDrivers, type ServerDriver, type TestServer } from '../../test-server.ts'

const FAR = 'far.example'
const DOWNLOAD = '/_matrix/federation/v1/media/download/'
// One black pixel.
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
)

interface Scene extends AsyncDisposable {
  peers: TestPeers
  here: TestServer
  far: TestServer
  upload(bytes: Uint8Array, type: string, name: string): Promise<string>
  get(path: string, withToken?: boolean): Promise<DispatchResponse>
}

async function open(driver: ServerDriver, maxSize = 1024 * 1024): Promise<Scene> {
  const peers = createTestPeers(async (url) => {
    assert.equal(url.href, 'https://cdn.example/file')
    return stream(200, { 'content-type': 'text/plain' }, 'from elsewhere')
  })
  const here = await peers.start(driver, 'here.example')
  const far = await peers.start(driver, FAR)
  Object.assign(here.hs.config.media, { max_upload_size: maxSize })
  const [alice, rita] = [await here.register('alice'), await far.register('rita')]
  return {
    peers,
    here,
    far,
    async upload(bytes, type, name) {
      const answer = await far.request(
        'POST',
        `/_matrix/media/v3/upload?filename=${encodeURIComponent(name)}`,
        {
          token: rita.token,
          headers: { 'content-type': type },
          body: bytes as never,
        },
      )
      return (answer.json()['content_uri'] as string).split('/').at(-1)!
    },
    get: (path, withToken = true) => here.request('GET', path, withToken ? { token: alice.token } : {}),
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]()
      await far[Symbol.asyncDispose]()
    },
  }
}

function stream(
  status: number,
  headers: Record<string, string>,
  body: string | Uint8Array,
): FederationStream {
  return { status, headers, body: piecesOf(Buffer.from(body as string), 5) }
}

function parts(...head: string[]): FederationStream {
  const text = `--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\n${head.join('\r\n')}\r\n--b--\r\n`
  return stream(200, { 'content-type': 'multipart/mixed; boundary=b' }, text)
}

const path = (mediaId: string, more = ''): string =>
  `/_matrix/client/v1/media/download/${FAR}/${mediaId}${more}`

for (const driver of await findServerDrivers()) {
  describe(`media of other servers on ${driver.name}`, { skip: driver.skip }, () => {
    it('is fetched once, kept, and served like our own, with names and thumbnails', async () => {
      await using scene = await open(driver)
      const mediaId = await scene.upload(PNG, 'image/png', 'fünf "x".png')
      const answers = await Promise.all([1, 2, 3].map(() => scene.get(path(mediaId))))
      for (const answer of answers) {
        assert.equal(answer.status, 200)
        assert.deepEqual(Buffer.from(answer.bytes), PNG)
        assert.equal(answer.headers['content-type'], 'image/png')
        assert.equal(
          answer.headers['content-disposition'],
          "inline; filename*=utf-8''f%C3%BCnf%20%22x%22.png",
        )
        assert.match(answer.headers['content-security-policy']!, /^sandbox;/)
      }
      const url = `/_matrix/client/v1/media/thumbnail/${FAR}/${mediaId}?width=32&height=32&method=crop`
      assert.equal((await scene.get(url)).headers['content-type'], 'image/png')
      assert.deepEqual(scene.peers.takePaths(FAR), [`${DOWNLOAD}${mediaId}`])
    })

    it('is given to nobody once it is quarantined, whoever sends the same again', async () => {
      await using scene = await open(driver)
      const { hs } = scene.here
      const mediaId = await scene.upload(PNG, 'image/png', '')
      assert.equal((await scene.get(path(mediaId))).status, 200)
      assert.equal(await quarantineMedia(hs, { serverName: FAR, mediaId }, 'somebody'), 'quarantined')
      assert.equal(await quarantineMedia(hs, { serverName: FAR, mediaId: 'unknown' }, 'somebody'), 'unknown')
      assert.equal((await scene.get(path(mediaId))).status, 404)
      assert.equal(await deleteRemoteMedia(hs, FAR, mediaId), true)
      const again = await scene.upload(PNG, 'image/png', 'another name')
      for (const id of [mediaId, again, again]) {
        const answer = await scene.get(path(id))
        assert.deepEqual([answer.status, answer.json()['errcode']], [404, 'M_NOT_FOUND'])
      }
      for await (const blob of hs.blobs.list()) assert.fail(`${blob.hash} is left`)
    })

    it('goes, what was asked for longest ago first, until the rest is small enough', async () => {
      await using scene = await open(driver)
      const { hs } = scene.here
      let now = hs.clock.now()
      Object.assign(hs, { clock: { ...hs.clock, now: () => now } })
      const ids: string[] = []
      for (let i = 0; i < 5; i++) {
        ids.push(await scene.upload(Buffer.alloc(100, i), 'text/plain', ''))
        await scene.get(path(ids[i]!))
        now += 7_200_000
      }
      // The oldest is asked for once more.
      await scene.get(path(ids[0]!))
      const left = async (): Promise<number[]> => {
        const held = await Promise.all(ids.map((id) => findRemoteMediaRow(hs.db, FAR, id)))
        return held.flatMap((row, at) => (row === undefined ? [] : [at]))
      }
      await limitRemoteMedia(hs).run()
      assert.deepEqual(await left(), [0, 1, 2, 3, 4])
      Object.assign(hs.config.media, { remote_max_size: 250 })
      await limitRemoteMedia(hs).run()
      assert.deepEqual(await left(), [0, 4])
      let blobs = 0
      for await (const { size } of hs.blobs.list()) blobs += size
      assert.equal(blobs, 200)
    })

    it('is not fetched again, nor its thumbnail made, by who looked before another had', async () => {
      await using scene = await open(driver)
      const mediaId = await scene.upload(PNG, 'image/png', '')
      const { hs } = scene.here
      const { db, hold } = holdAnswers(hs.db)
      const request = {
        serverName: FAR as ServerName,
        mediaId,
        waitMs: 1_000,
        onlyOpen: false,
        mayFetch: true,
      }
      const held = hold(/FROM remote_media/)
      const late = findRemoteMedia({ ...hs, db }, request)
      await held.read
      const first = await findRemoteMedia(hs, request)
      held.release()
      assert.deepEqual(await late, first)
      assert.deepEqual(scene.peers.takePaths(FAR), [`${DOWNLOAD}${mediaId}`])
      let decoded = 0
      const decoders: Slots = { run: (fn) => (decoded++, hs.media.decoders.run(fn)) }
      const slow = { ...hs, db, media: { ...hs.media, decoders } }
      const wish = { width: 32, height: 32, method: 'crop', animated: false } as const
      const heldThumbnail = hold(/FROM media_thumbnails/)
      const lateThumbnail = findThumbnail(slow, first, wish)
      await heldThumbnail.read
      await findThumbnail(hs, first, wish)
      heldThumbnail.release()
      await lateThumbnail
      assert.equal(decoded, 0)
    })

    it('is served to other servers as two parts, thumbnails too, and waited for', async () => {
      await using scene = await open(driver)
      const mediaId = await scene.upload(PNG, 'image/png', '')
      const { client } = scene.here.hs.federation
      const thumbnail = await client.stream(FAR as never, {
        method: 'GET',
        path: `/_matrix/federation/v1/media/thumbnail/${mediaId}`,
        query: [
          ['width', '32'],
          ['height', '32'],
        ],
      })
      assert.match(String(thumbnail.headers['content-type']), /^multipart\/mixed; boundary=/)
      const text = Buffer.concat(await thumbnail.body.toArray()).toString('latin1')
      assert.equal(Number(thumbnail.headers['content-length']), text.length)
      assert.match(text, /Content-Type: application\/json\r\n\r\n\{\}\r\n--[^]*Content-Type: image\/png\r\n/)
      const missing = await scene.get(path('nothere'))
      assert.deepEqual([missing.status, missing.json()['errcode']], [404, 'M_NOT_FOUND'])
    })

    it('never gets an authority that it has not: what could run is saved, never shown', async () => {
      await using scene = await open(driver)
      scene.peers.play(FAR, () =>
        parts('Content-Type: text/html', 'Content-Disposition: inline; filename=evil.html', '', '<script>'),
      )
      const answer = await scene.get(path('evil'))
      assert.equal(answer.headers['content-disposition'], 'attachment; filename="evil.html"')
      assert.match(answer.headers['content-security-policy']!, /script-src 'none'/)
      assert.equal(answer.headers['x-content-type-options'], 'nosniff')
      scene.peers.play(FAR, () => parts('Content-Type: text/plain\u0007', '', 'x'))
      assert.equal((await scene.get(path('odd'))).headers['content-type'], 'application/octet-stream')
    })

    it('comes by the older operation from servers that know no other, and from elsewhere when sent there', async () => {
      await using scene = await open(driver)
      scene.peers.play(FAR, (request) => {
        if (request.path.startsWith(DOWNLOAD)) return refused(FAR, 404, 'M_UNRECOGNIZED')
        assert.ok(request.query?.some(([name, value]) => name === 'allow_remote' && value === 'false'))
        return stream(200, { 'content-type': 'text/plain' }, 'old')
      })
      assert.equal(Buffer.from((await scene.get(path('old'))).bytes).toString(), 'old')
      assert.deepEqual(scene.peers.takePaths(FAR), [
        `${DOWNLOAD}old`,
        '/_matrix/media/v3/download/far.example/old',
      ])
      scene.peers.play(FAR, (request) =>
        request.path.startsWith(DOWNLOAD) ? refused(FAR, 400) : stream(200, {}, 'older'),
      )
      assert.equal(Buffer.from((await scene.get(path('older'))).bytes).toString(), 'older')
      scene.peers.play(FAR, () => parts('Location: https://cdn.example/file', '', ''))
      assert.equal(Buffer.from((await scene.get(path('moved'))).bytes).toString(), 'from elsewhere')
      scene.peers.play(FAR, () => parts('Location: http://127.0.0.1/secret', '', ''))
      assert.equal((await scene.get(path('inside'))).status, 502)
    })

    it('that is too large, breaks off or cannot be had is refused, and not asked for again at once', async () => {
      await using scene = await open(driver, 1_000)
      const outcomes: [string, () => FederationStream | Error, number, string][] = [
        ['large', () => parts('Content-Type: text/plain', '', 'x'.repeat(2_000)), 502, 'M_TOO_LARGE'],
        [
          'half',
          () =>
            stream(200, { 'content-type': 'multipart/mixed; boundary=b' }, '--b\r\n\r\n{}\r\n--b\r\n\r\nha'),
          502,
          'M_UNKNOWN',
        ],
        ['plain', () => stream(200, { 'content-type': 'text/plain' }, 'x'), 502, 'M_UNKNOWN'],
        ['down', () => unreachable(FAR), 502, 'M_UNKNOWN'],
        ['later', () => refused(FAR, 504, 'M_NOT_YET_UPLOADED'), 504, 'M_NOT_YET_UPLOADED'],
        ['gone', () => refused(FAR, 404, 'M_NOT_FOUND'), 404, 'M_NOT_FOUND'],
      ]
      for (const [mediaId, play, status, errcode] of outcomes) {
        scene.peers.play(FAR, play)
        for (let i = 0; i < 2; i++) {
          const answer = await scene.get(path(mediaId))
          assert.deepEqual([answer.status, answer.json()['errcode']], [status, errcode], mediaId)
        }
        assert.equal(scene.peers.takePaths(FAR).length, 1, mediaId)
      }
      const blobs = await Array.fromAsync(scene.here.hs.blobs.list())
      assert.deepEqual(blobs, [], 'nothing is left of them')
    })

    it('is not fetched for those who ask for what is here, nor without an account where that is closed', async () => {
      await using scene = await open(driver)
      const mediaId = await scene.upload(PNG, 'image/png', '')
      const legacy = `/_matrix/media/v3/download/${FAR}/${mediaId}`
      assert.equal((await scene.get(`${legacy}?allow_remote=false`, false)).status, 404)
      Object.assign(scene.here.hs.config.media, { unauthenticated_downloads: false })
      assert.equal((await scene.get(legacy, false)).status, 404)
      assert.deepEqual(scene.peers.takePaths(FAR), [])
      assert.equal((await scene.get(path(mediaId))).status, 200)
      assert.equal((await scene.get(legacy, false)).status, 404, 'it was fetched for who has an account')
    })
  })
}

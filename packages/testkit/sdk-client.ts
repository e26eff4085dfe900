import type * as Sdk from 'matrix-js-sdk'
import type { TestUser } from './matrix-client.ts'

/** matrix-js-sdk logs every request; tests want to see their own words. */
async function quietSdk(): Promise<typeof Sdk> {
  const { logger } = await import('matrix-js-sdk/lib/logger.js')
  // loglevel's own level: nothing at all.
  ;(logger as unknown as { setLevel(level: string): void }).setLevel('silent')
  return import('matrix-js-sdk')
}

export interface SdkClient extends AsyncDisposable {
  readonly client: Sdk.MatrixClient
  /** Resolves once `check` holds, looking again after each event that the client has seen; rejects after 90 s. */
  until<T>(what: string, check: () => T | undefined | false | Promise<T | undefined | false>): Promise<T>
}

/** Two busy cores, and two servers. */
const TIMEOUT_MS = 90_000

/** The SDK's own class for sliding sync: a window on the newest rooms, with all of their state. */
async function createSlidingSync(base: string, client: Sdk.MatrixClient) {
  const { SlidingSync } = await import('matrix-js-sdk/lib/sliding-sync.js')
  const wanted = { timeline_limit: 20, required_state: [['*', '*']] }
  const lists = new Map([['all', { ...wanted, ranges: [[0, 19]], filters: {} }]])
  return new SlidingSync(base, lists, wanted, client, 5_000)
}

interface SdkOptions {
  readonly encrypt?: boolean
  readonly sliding?: boolean
  /** Whether it keeps what is said in threads apart. */
  readonly threads?: boolean
  readonly fetch?: typeof fetch
  /** What a client asks its user for, such as the key to the secret storage. */
  readonly cryptoCallbacks?: NonNullable<Sdk.ICreateClientOpts['cryptoCallbacks']>
}

/**
 * A running matrix-js-sdk client of a user; with `encrypt`, its Rust cryptography (kept in memory); with `sliding`, by
 * sliding sync; with `threads`, as clients that show threads; with `fetch`, over a network of the test's own.
 */
export async function startSdkClient(
  base: string,
  user: TestUser,
  options: SdkOptions = {},
): Promise<SdkClient> {
  const sdk = await quietSdk()
  const client = sdk.createClient({
    baseUrl: base,
    userId: user.userId,
    deviceId: user.deviceId,
    accessToken: user.token,
    ...(options.fetch === undefined ? {} : { fetchFn: options.fetch }),
    ...(options.cryptoCallbacks === undefined ? {} : { cryptoCallbacks: options.cryptoCallbacks }),
  })
  if (options.encrypt === true) await client.initRustCrypto({ useIndexedDB: false })
  const slidingSync = options.sliding === true ? await createSlidingSync(base, client) : undefined
  await client.startClient({
    initialSyncLimit: 20,
    pollTimeout: 5_000,
    threadSupport: options.threads === true,
    ...(slidingSync && { slidingSync }),
  })
  const until: SdkClient['until'] = async (what, check) => {
    const deadline = Date.now() + TIMEOUT_MS
    for (;;) {
      const found = await check()
      if (found !== undefined && found !== false) return found
      if (Date.now() > deadline) throw new Error(`${user.userId} did not see in time: ${what}`)
      await nextEvent(client, sdk)
    }
  }
  await until('the first sync', () => client.isInitialSyncComplete())
  return {
    client,
    until,
    [Symbol.asyncDispose]: async () => {
      client.stopClient()
    },
  }
}

/** Something happened in the client, or a quarter of a second has passed: decryption has no event of its own everywhere. */
function nextEvent(client: Sdk.MatrixClient, sdk: typeof Sdk): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, 250)
    function done(): void {
      clearTimeout(timer)
      client.off(sdk.ClientEvent.Event, done)
      client.off(sdk.ClientEvent.Sync, done)
      resolve()
    }
    client.on(sdk.ClientEvent.Event, done)
    client.on(sdk.ClientEvent.Sync, done)
  })
}

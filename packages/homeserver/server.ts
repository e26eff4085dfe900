import { type OpenDatabase } from '@causeway/store/db/open.ts'
import { findAppserviceByToken } from './appservice/registry.ts'
import { clientRoutes } from './client/routes.ts'
import { previewRoutes } from './client/url-preview.ts'
import { federationRoutes } from './federation/routes.ts'
import { synapseAdminRoutes } from './synapse-admin/routes.ts'
import type { HomeserverConfig } from './config.ts'
import type { Homeserver } from './homeserver.ts'
import { endIdleGuests } from './guests/end-idle-guests.ts'
import { createTrustedProxies } from './http/client-ip.ts'
import { watchCertificates, type CertificateWatch } from './http/certificate-files.ts'
import { readListenAddresses } from './http/listen-addresses.ts'
import { startListeners, type Listeners } from './http/listen.ts'
import type { AnyEndpoint } from './http/endpoint.ts'
import { Router } from './http/router.ts'
import {
  forgetOldTransactions,
  forgetOpenIdTokens,
  forgetReceivedIds,
  forgetRemovedAccountData,
  startHousekeeping,
} from './ops/housekeeping.ts'
import { forgetAddressSessions } from './addresses/forget-sessions.ts'
import { forgetUnsentMessages } from './federation/outbound/forget-messages.ts'
import { forgetDelayedEvents } from './delayed/forget.ts'
import { forgetStickyEvents } from './rooms/forget-sticky.ts'
import { applyRetentionRegularly } from './jobs/apply-retention.ts'
import { indexOldMedia } from './jobs/index-media.ts'
import { forgetUnreferencedMedia } from './media/forget-unreferenced.ts'
import { forgetUnusedMedia, limitRemoteMedia } from './media/remote/forget-remote-media.ts'
import { forgetPreviews } from './previews/forget-previews.ts'
import { openHomeserver, type HomeserverDeps } from './open-homeserver.ts'

export interface RunningHomeserver {
  readonly hs: Homeserver
  readonly db: OpenDatabase
  readonly router: Router
  /** Where it can be reached, in the order of `config.listeners`. */
  readonly urls: readonly string[]
  /** Reads the certificates of the listeners anew when they have changed. */
  readonly certificates: CertificateWatch
  /** Stops accepting, answers long polls empty, finishes what is under way within 10 s, closes the store. */
  stop(): Promise<void>
}

/** Opens the store, builds the shared record, and starts to listen. Throws with a sentence for the operator. */
export async function startHomeserver(
  config: HomeserverConfig,
  deps: HomeserverDeps,
): Promise<RunningHomeserver> {
  const { hs, db } = await openHomeserver(config, deps)
  const proxies = createTrustedProxies(config.trusted_proxies)
  const router = new Router({
    hs,
    endpoints: routesOf(config),
    findSession: (token, use, request) => hs.sessions.find(token, use, request),
    authenticateServer: hs.federation.authenticate,
    limiter: hs.limiter,
    findAppservice: (token) => findAppserviceByToken(hs.appservices.registry, token)?.id,
    proxies,
    clock: deps.clock,
    random: deps.random,
    log: deps.logger,
    ...(deps.observe === undefined ? {} : { observe: deps.observe }),
  })
  const listeners = await startSending(hs)
    .then(() => listen(config, deps, router))
    .catch(async (error: unknown) => {
      await closeHomeserver(hs, db)
      throw error
    })
  const housekeeping = startHousekeeping(
    [
      forgetOldTransactions(hs),
      forgetOpenIdTokens(hs),
      forgetAddressSessions(hs),
      forgetReceivedIds(hs),
      forgetRemovedAccountData(hs),
      forgetUnsentMessages(hs),
      forgetUnusedMedia(hs),
      limitRemoteMedia(hs),
      forgetUnreferencedMedia(hs),
      forgetPreviews(hs),
      forgetDelayedEvents(hs),
      forgetStickyEvents(hs),
      applyRetentionRegularly(hs),
      endIdleGuests(hs),
    ],
    deps,
  )
  const certificates = watchCertificates(config, listeners, deps)
  hs.jobs.wake()
  await indexOldMedia(hs)
  await hs.receiving.inbox.start()
  await hs.receiving.policyRetries.start()
  hs.joining.completion.start()
  return {
    hs,
    db,
    router,
    urls: listeners.urls,
    certificates,
    stop: async () => {
      certificates[Symbol.dispose]()
      await housekeeping[Symbol.asyncDispose]()
      await stop(router, listeners, hs, db)
    },
  }
}

/**
 * Without federation its operations are not there, and nothing tells others where this server is; the same goes for
 * previews.
 */
export function routesOf(
  config: Pick<HomeserverConfig, 'federation' | 'url_previews'>,
): readonly AnyEndpoint[] {
  const offered = config.url_previews.enabled
    ? clientRoutes
    : clientRoutes.filter((one) => !previewRoutes.includes(one))
  const local = [...offered, ...synapseAdminRoutes]
  return config.federation.enabled ? [...local, ...federationRoutes] : local
}

/** What reads the log begins, before anything is written to it. */
export async function startSending(hs: Homeserver): Promise<void> {
  await hs.search.start()
  await hs.userDirectory.start()
  await hs.guests.start()
  await hs.roomList.start()
  await hs.appservices.start()
  await hs.push.start()
  if (hs.config.federation.enabled) await hs.outbound.start(hs.federation.client, hs)
  hs.delayed.start()
}

async function stop(router: Router, listeners: Listeners, hs: Homeserver, db: OpenDatabase): Promise<void> {
  router.stop()
  // Whoever waits for a page that drips would hold up the end.
  await hs.previews[Symbol.asyncDispose]()
  await listeners.stop()
  await closeHomeserver(hs, db)
}

/** Ends what runs, in the order in which one needs the other, and closes the store; no request may come any more. */
export async function closeHomeserver(hs: Homeserver, db: OpenDatabase): Promise<void> {
  await hs.delayed[Symbol.asyncDispose]()
  await hs.guests[Symbol.asyncDispose]()
  await hs.email[Symbol.asyncDispose]()
  await hs.sms[Symbol.asyncDispose]()
  await hs.search[Symbol.asyncDispose]()
  await hs.previews[Symbol.asyncDispose]()
  await hs.outbound[Symbol.asyncDispose]()
  await hs.push[Symbol.asyncDispose]()
  hs.identity[Symbol.dispose]()
  await hs.appservices[Symbol.asyncDispose]()
  await hs.receiving[Symbol.asyncDispose]()
  await hs.remoteDevices[Symbol.asyncDispose]()
  await hs.joining[Symbol.asyncDispose]()
  await hs.federation[Symbol.asyncDispose]()
  await hs.jobs[Symbol.asyncDispose]()
  await hs.accounts[Symbol.asyncDispose]()
  await hs.userDirectory[Symbol.asyncDispose]()
  await hs.roomList[Symbol.asyncDispose]()
  await hs.sessions[Symbol.asyncDispose]()
  await hs.rooms.queue.idle()
  await hs.blobs[Symbol.asyncDispose]()
  await db[Symbol.asyncDispose]()
}

async function listen(
  config: HomeserverConfig,
  { clock }: HomeserverDeps,
  router: Router,
): Promise<Listeners> {
  return startListeners({
    addresses: await readListenAddresses(config),
    handle: (request, response, { resources }) => router.handle(request, response, resources),
    clock,
  })
}

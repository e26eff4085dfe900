import { Registry } from 'prom-client'
import type { CacheFigures } from '@causeway/store/cache/lru.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { CommitStats } from '@causeway/store/db/commit-queue.ts'
import type { DelayedSending } from '../delayed/delayed-sending.ts'
import type { Outbound } from '../federation/outbound/outbound.ts'
import type { ServerState } from '../federation/outbound/sender.ts'
import type { EduTally } from '../federation/edus/edu-tally.ts'
import type { Router } from '../http/router.ts'
import { countUnsentRooms } from '@causeway/store/tables/outbound.ts'
import { countWaiting } from '@causeway/store/tables/inbound-pdus.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { SearchIndex } from '../search/search-index.ts'
import type { Sms } from '../phone/sms.ts'
import type { Push } from '../push/push.ts'
import { countDigestTurns } from '@causeway/store/tables/digests.ts'
import { countPushers } from '@causeway/store/tables/pushers.ts'
import type { RoomFigures } from '../rooms/room-figures.ts'
import type { RoomList } from '../room-list/room-list.ts'
import type { UserDirectory } from '../user-directory/user-directory.ts'
import { METRICS, registerMetric, registerProcessMetrics, registerValue } from './metrics.ts'
import type { MetricDeclaration, Sample } from './metrics.ts'
import type { PolicyPort } from '../rooms/policy/policy-port.ts'
import type { ReceiveFigures } from '../rooms/receive/figures.ts'
import type { Inbox } from '../rooms/receive/inbox.ts'
import type { RequestTimes } from './request-times.ts'

/** The parts of a running server that know figures about themselves. */
export interface MetricSources {
  readonly times: RequestTimes
  readonly router: Pick<Router, 'waiting'>
  readonly budget: Pick<MemoryBudget, 'figures'>
  readonly db: { readonly stats: CommitStats } & Pick<Database, 'query' | 'queryLarge'>
  readonly receiving: { readonly figures: ReceiveFigures; readonly inbox: Pick<Inbox, 'active'> }
  readonly outbound: Pick<Outbound, 'figures' | 'states'>
  readonly push: Pick<Push, 'figures' | 'turns' | 'mails'>
  readonly delayed: Pick<DelayedSending, 'figures'>
  readonly sms: Pick<Sms, 'figures'>
  readonly clock: Pick<Clock, 'now'>
  readonly eduTally: EduTally
  readonly federation: FederationFigures
  readonly rooms: { readonly figures: RoomFigures; readonly policy?: Pick<PolicyPort, 'figures'> }
  readonly search: Pick<SearchIndex, 'behind' | 'figures'>
  readonly userDirectory: Pick<UserDirectory, 'behind' | 'roomsToWalk'>
  readonly roomList: Pick<RoomList, 'behind'>
}

/** What is counted of other servers. */
export interface FederationFigures {
  readonly tally: {
    /** By how they ended. */
    readonly requests: Readonly<Record<string, number>>
    readonly waiting: number
  }
  readonly destinations: { failing(): number }
}

/**
 * A registry with every metric of the homeserver. Whoever wants the library loaded late imports this module late:
 * in a bundle, a late import of the library itself (CommonJS) has no named exports.
 */
export function createRegistry(sources: MetricSources): Registry {
  const registry = new Registry()
  registerSources(registry, sources)
  return registry
}

/** Registers every metric of the homeserver with the registry that its owner serves. */
export function registerSources(registry: Registry, sources: MetricSources): void {
  const { times, router, budget, db, eduTally, federation } = sources
  registerProcessMetrics(registry)
  registerMetric(registry, METRICS.httpSeconds, () => times.times())
  registerMetric(registry, METRICS.httpAnswers, () => times.answers())
  registerValue(registry, METRICS.httpWaiting, () => router.waiting.size)
  registerValue(registry, METRICS.dbBatches, () => db.stats.batches)
  registerValue(registry, METRICS.dbWrites, () => db.stats.writes)
  registerValue(registry, METRICS.dbRefused, () => db.stats.refused)
  registerValue(registry, METRICS.dbWaiting, () => db.stats.waiting)
  registerValue(registry, METRICS.searchDocuments, () => sources.search.figures.documents)
  registerValue(registry, METRICS.searchBehind, () => sources.search.behind())
  registerReceiving(registry, sources.receiving)
  registerMetric(registry, METRICS.edus, () =>
    eduTally.figures().map(({ type, outcome, n }) => ({ labels: { type, outcome }, value: n })),
  )
  registerFederation(registry, federation)
  registerCaches(registry, budget)
  registerOutbound(registry, sources)
  registerPush(registry, sources)
  registerDelayed(registry, sources)
  registerTextMessages(registry, sources)
  registerMessages(registry, sources)
  registerRooms(registry, sources)
  registerDestinations(registry, sources)
  registerUserDirectory(registry, sources)
}

function registerUserDirectory(registry: Registry, { userDirectory, roomList }: MetricSources): void {
  registerMetric(registry, METRICS.roomListBehind, () => [{ value: roomList.behind() }])
  registerMetric(registry, METRICS.directoryBehind, () => [{ value: userDirectory.behind() }])
  registerMetric(registry, METRICS.directoryRooms, async () => [{ value: await userDirectory.roomsToWalk() }])
}

function registerMessages(registry: Registry, { rooms: { figures } }: MetricSources): void {
  const { messages } = figures
  registerMetric(registry, METRICS.messagesRemoved, () =>
    (['removed', 'cleared'] as const).map((how) => ({ labels: { how }, value: messages[how] })),
  )
}

function registerTextMessages(registry: Registry, { sms }: MetricSources): void {
  registerMetric(registry, METRICS.textMessages, () =>
    Object.entries(sms.figures).map(([outcome, value]) => ({ labels: { outcome }, value })),
  )
}

function registerDelayed(registry: Registry, { delayed: { figures } }: MetricSources): void {
  registerMetric(registry, METRICS.delayedEvents, () =>
    (['sent', 'refused', 'fault'] as const).map((outcome) => ({
      labels: { outcome },
      value: figures[outcome],
    })),
  )
  registerValue(registry, METRICS.delayedLate, () => figures.lateMs / 1000)
}

const PHASES: readonly ServerState['phase'][] = ['waiting', 'sending', 'asleep']

function registerOutbound(registry: Registry, { outbound, clock }: MetricSources): void {
  const { figures } = outbound
  registerMetric(registry, METRICS.outboundServers, () => {
    const counts = Map.groupBy(outbound.states(), ({ phase }) => phase)
    return PHASES.map((phase) => ({ labels: { phase }, value: counts.get(phase)?.length ?? 0 }))
  })
  registerMetric(registry, METRICS.outboundOldest, () => oldestOf(outbound.states(), clock.now()))
  registerMetric(registry, METRICS.outboundTransactions, () =>
    [...figures.outcomes].map(([outcome, value]) => ({ labels: { outcome }, value })),
  )
  registerValue(registry, METRICS.outboundPdus, () => figures.counts.pdus)
  registerValue(registry, METRICS.outboundEdus, () => figures.counts.edus)
  registerValue(registry, METRICS.outboundRefused, () => figures.counts.refused)
}

/** How long something has waited for a receiver, those that are asleep apart. */
function oldestOf(
  states: readonly { readonly phase: ServerState['phase']; readonly since: number }[],
  now: number,
): Sample[] {
  const oldest = new Map<boolean, number>()
  for (const { phase, since } of states) {
    const isAsleep = phase === 'asleep'
    oldest.set(isAsleep, Math.min(oldest.get(isAsleep) ?? Infinity, since))
  }
  return [false, true].map((isAsleep) => ({
    labels: { asleep: String(isAsleep) },
    value: oldest.has(isAsleep) ? Math.max(0, now - oldest.get(isAsleep)!) / 1000 : 0,
  }))
}

function registerPush(registry: Registry, { push, clock, db }: MetricSources): void {
  registerMetric(registry, METRICS.pushers, async () => {
    const { pushers, failing } = await countPushers(db)
    return [
      { labels: { failing: 'false' }, value: pushers - failing },
      { labels: { failing: 'true' }, value: failing },
    ]
  })
  registerMetric(registry, METRICS.pushTurns, () => {
    const counts = Map.groupBy(push.turns(), ({ phase }) => phase)
    return PHASES.map((phase) => ({ labels: { phase }, value: counts.get(phase)?.length ?? 0 }))
  })
  registerMetric(registry, METRICS.pushOldest, () => oldestOf(push.turns(), clock.now()))
  registerMetric(registry, METRICS.pushGatewayWaiting, () => {
    const asleep = push.turns().filter(({ phase }) => phase === 'asleep')
    const all = [...Map.groupBy(asleep, ({ place }) => place)]
      .map(([place, turns]) => [place, turns.length] as const)
      .sort((a, b) => b[1] - a[1])
    const others = all.slice(NAMED).reduce((sum, [, count]) => sum + count, 0)
    return namedAndOthers('gateway', all.slice(0, NAMED), others)
  })
  registerMetric(registry, METRICS.pushAttempts, () =>
    [...push.figures.outcomes].map(([outcome, value]) => ({ labels: { outcome }, value })),
  )
  registerValue(registry, METRICS.pushDropped, () => push.figures.counts.dropped)
  registerMetric(registry, METRICS.mailNotifications, () =>
    [...push.mails].map(([outcome, value]) => ({ labels: { outcome }, value })),
  )
  registerMetric(registry, METRICS.mailNotificationsWaiting, async () => {
    const { waiting, failing } = await countDigestTurns(db)
    return [
      { labels: { failing: 'false' }, value: waiting - failing },
      { labels: { failing: 'true' }, value: failing },
    ]
  })
}

/** Rooms or servers that a metric names; the labels of one metric never are more than these and `OTHERS`. */
const NAMED = 10
const OTHERS = 'others'

function namedAndOthers(
  label: string,
  named: readonly (readonly [name: string, value: number])[],
  others: number,
): Sample[] {
  return [...named, [OTHERS, others] as const].map(([name, value]) => ({ labels: { [label]: name }, value }))
}

function registerRooms(registry: Registry, { rooms: { figures, policy }, db }: MetricSources): void {
  registerMetric(registry, METRICS.policyAnswers, () =>
    Object.entries(policy?.figures ?? {}).map(([outcome, value]) => ({ labels: { outcome }, value })),
  )
  registerMetric(registry, METRICS.roomExtremities, () => {
    const { rooms, others } = figures.extremities.top(NAMED)
    return namedAndOthers('room_id', rooms, others)
  })
  registerMetric(registry, METRICS.roomResolution, () => {
    const { rooms, others } = figures.resolutionMs.top(NAMED)
    const seconds = rooms.map(([roomId, ms]) => [roomId, ms / 1000] as const)
    return namedAndOthers('room_id', seconds, others / 1000)
  })
  registerMetric(registry, METRICS.roomInbox, async () => {
    const { rooms, all } = await countWaiting(db, NAMED)
    const named = rooms.map(({ roomId, count }) => [roomId, count] as const)
    return namedAndOthers('room_id', named, all - named.reduce((sum, [, count]) => sum + count, 0))
  })
}

function registerDestinations(registry: Registry, { outbound, clock, db }: MetricSources): void {
  registerMetric(registry, METRICS.destinationRooms, async () => {
    const { servers, all } = await countUnsentRooms(db, NAMED)
    const named = servers.map(({ name, rooms }) => [name, rooms] as const)
    return namedAndOthers('server', named, all - named.reduce((sum, [, rooms]) => sum + rooms, 0))
  })
  registerMetric(registry, METRICS.destinationWaiting, () => {
    const byState = Map.groupBy(outbound.states(), ({ phase }) => phase === 'asleep')
    return [...byState].flatMap(([isAsleep, states]) => {
      const longest = states.toSorted((a, b) => a.since - b.since).slice(0, NAMED)
      return longest.map(({ server, since }) => ({
        labels: { server, asleep: String(isAsleep) },
        value: Math.max(0, clock.now() - since) / 1000,
      }))
    })
  })
}

function registerReceiving(registry: Registry, { figures, inbox }: MetricSources['receiving']): void {
  registerMetric(registry, METRICS.receivedEvents, () => {
    const { stateResets: _, refused: __, ...outcomes } = figures
    return Object.entries(outcomes).map(([outcome, value]) => ({ labels: { outcome }, value }))
  })
  registerMetric(registry, METRICS.refusedEvents, () =>
    Object.entries(figures.refused).map(([check, value]) => ({ labels: { check }, value })),
  )
  registerValue(registry, METRICS.stateResets, () => figures.stateResets)
  registerValue(registry, METRICS.inboxRooms, () => inbox.active())
}

function registerFederation(registry: Registry, { tally, destinations }: FederationFigures): void {
  registerMetric(registry, METRICS.federationRequests, () =>
    Object.entries(tally.requests).map(([outcome, value]) => ({ labels: { outcome }, value })),
  )
  registerValue(registry, METRICS.federationWaiting, () => tally.waiting)
  registerValue(registry, METRICS.federationFailing, () => destinations.failing())
}

function registerCaches(registry: Registry, budget: Pick<MemoryBudget, 'figures'>): void {
  const figure = (declaration: MetricDeclaration, read: (cache: CacheFigures) => number): void =>
    registerMetric(registry, declaration, () =>
      budget.figures().map((cache) => ({ labels: { cache: cache.name }, value: read(cache) })),
    )
  figure(METRICS.cacheBytes, (cache) => cache.bytes)
  figure(METRICS.cacheLimit, (cache) => cache.limit)
  figure(METRICS.cacheEntries, (cache) => cache.entries)
  figure(METRICS.cacheHits, (cache) => cache.hits)
  figure(METRICS.cacheMisses, (cache) => cache.misses)
  figure(METRICS.cacheEvictions, (cache) => cache.shed)
}

import { collectDefaultMetrics, type Metric, type Registry } from 'prom-client'

/** One measured value. `suffix` is for the parts of a histogram. */
export interface Sample {
  readonly suffix?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricDeclaration {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
}

/** Every metric of the homeserver, declared once: the reference is generated from this list. */
export const METRICS = {
  httpSeconds: {
    name: 'causeway_http_request_seconds',
    kind: 'histogram',
    help: 'Time from the headers of a request to its answer, by operation; long polls count in full',
  },
  httpAnswers: {
    name: 'causeway_http_answers_total',
    kind: 'counter',
    help: 'Answers by operation and class of status',
  },
  httpWaiting: {
    name: 'causeway_http_waiting_requests',
    kind: 'gauge',
    help: 'Requests that wait for something to happen, such as long polls of /sync',
  },
  federationRequests: {
    name: 'causeway_federation_requests_total',
    kind: 'counter',
    help: 'Requests to other servers by outcome: ok, refused (an error was answered), malformed, unreachable, backing-off (not even tried), abandoned (whoever asked gave up)',
  },
  federationWaiting: {
    name: 'causeway_federation_requests_waiting',
    kind: 'gauge',
    help: 'Requests to other servers that are under way',
  },
  federationFailing: {
    name: 'causeway_federation_failing_destinations',
    kind: 'gauge',
    help: 'Servers that did not answer when they were last asked; see `causeway admin federation destination list`',
  },
  directoryBehind: {
    name: 'causeway_user_directory_behind',
    kind: 'gauge',
    help: 'Entries of the log that the user directory has still to read',
  },
  roomListBehind: {
    name: 'causeway_room_list_behind',
    kind: 'gauge',
    help: 'Entries of the log that the list of rooms for administrators has still to read',
  },
  directoryRooms: {
    name: 'causeway_user_directory_rooms_waiting',
    kind: 'gauge',
    help: 'Rooms whose members the user directory has still to look at: many after an update, few at other times',
  },
  messagesRemoved: {
    name: 'causeway_messages_removed_total',
    kind: 'counter',
    help: 'Messages that outlived their time or were purged with their room’s history: removed, or cleared (without content in their place, since others follow them)',
  },
  delayedEvents: {
    name: 'causeway_delayed_events_total',
    kind: 'counter',
    help: 'Delayed events whose time came, by outcome: sent, refused (their senders are told why), fault (ours; it is tried again)',
  },
  delayedLate: {
    name: 'causeway_delayed_events_late_seconds',
    kind: 'gauge',
    help: 'How late the delayed event was that was sent last: much, after the server was down; else it has too much to do',
  },
  dbBatches: {
    name: 'causeway_db_batches_total',
    kind: 'counter',
    help: 'Commits of the database, each of many writes',
  },
  dbWrites: { name: 'causeway_db_writes_total', kind: 'counter', help: 'Writes that were committed' },
  dbRefused: {
    name: 'causeway_db_writes_refused_total',
    kind: 'counter',
    help: 'Writes whose precondition did not hold or whose key was taken',
  },
  dbWaiting: {
    name: 'causeway_db_writes_waiting',
    kind: 'gauge',
    help: 'Writes that wait for the next commit; a rising number means that the disk is too slow',
  },
  searchDocuments: {
    name: 'causeway_search_documents_total',
    kind: 'counter',
    help: 'Messages, names and topics that were put into the search index',
  },
  searchBehind: {
    name: 'causeway_search_behind',
    kind: 'gauge',
    help: 'Events, at most, that the search index does not have yet; falls to 0 while it is being filled after an upgrade',
  },
  receivedEvents: {
    name: 'causeway_received_events_total',
    kind: 'counter',
    help: 'Events that other servers sent, by what became of them',
  },
  refusedEvents: {
    name: 'causeway_refused_events_total',
    kind: 'counter',
    help: 'Events of other servers that were rejected or soft-failed, by the check that they failed; causeway admin room refused lists them',
  },
  policyAnswers: {
    name: 'causeway_policy_answers_total',
    kind: 'counter',
    help: 'Events that policy servers of rooms were asked to sign, by outcome: signed, refused, unreachable (the event waits or is refused)',
  },
  stateResets: {
    name: 'causeway_state_resets_total',
    kind: 'counter',
    help: 'Resolutions of a room’s state that gave what no branch had; any rise is worth a look',
  },
  roomExtremities: {
    name: 'causeway_room_extremities',
    kind: 'gauge',
    help: 'Branches that a room ends in, since the start: the ten rooms with the most, all others that end in several as "others"',
  },
  roomResolution: {
    name: 'causeway_room_resolution_seconds',
    kind: 'gauge',
    help: 'Time spent on resolving the state of a room over branches, since the start: the ten rooms with the most, all others as "others"',
  },
  roomInbox: {
    name: 'causeway_room_inbox_events',
    kind: 'gauge',
    help: 'Received events that wait for what they refer to: the ten rooms with the most, all others as "others"',
  },
  inboxRooms: {
    name: 'causeway_inbox_rooms',
    kind: 'gauge',
    help: 'Rooms for which events are being fetched that others refer to',
  },
  cacheBytes: { name: 'causeway_cache_bytes', kind: 'gauge', help: 'What each cache holds, by estimate' },
  cacheLimit: { name: 'causeway_cache_limit_bytes', kind: 'gauge', help: 'What each cache may hold' },
  cacheEntries: { name: 'causeway_cache_entries', kind: 'gauge', help: 'Entries of each cache' },
  cacheHits: { name: 'causeway_cache_hits_total', kind: 'counter', help: 'Look-ups that a cache answered' },
  cacheMisses: { name: 'causeway_cache_misses_total', kind: 'counter', help: 'Look-ups that it did not' },
  cacheEvictions: {
    name: 'causeway_cache_evictions_total',
    kind: 'counter',
    help: 'Entries shed for others',
  },
  outboundServers: {
    name: 'causeway_federation_outbound_servers',
    kind: 'gauge',
    help: 'Other servers that something is to be sent to: waiting for their turn, sending, asleep until the next attempt',
  },
  destinationRooms: {
    name: 'causeway_federation_destination_unsent_rooms',
    kind: 'gauge',
    help: 'Rooms of which another server has not got everything: the ten servers with the most, all others as "others"',
  },
  destinationWaiting: {
    name: 'causeway_federation_destination_waiting_seconds',
    kind: 'gauge',
    help: 'How long something has waited for another server: the ten for which it is longest, those that are asleep apart',
  },
  outboundOldest: {
    name: 'causeway_federation_outbound_oldest_seconds',
    kind: 'gauge',
    help: 'How long something has waited for another server; servers that are asleep apart, since those may be gone for good',
  },
  outboundTransactions: {
    name: 'causeway_federation_outbound_transactions_total',
    kind: 'counter',
    help: 'Attempts at transactions to other servers, by outcome',
  },
  outboundPdus: {
    name: 'causeway_federation_outbound_pdus_total',
    kind: 'counter',
    help: 'Events sent to other servers, each once for every server',
  },
  outboundEdus: {
    name: 'causeway_federation_outbound_edus_total',
    kind: 'counter',
    help: 'EDUs sent to other servers',
  },
  outboundRefused: {
    name: 'causeway_federation_outbound_refused_pdus_total',
    kind: 'counter',
    help: 'Events that another server answered it did not accept',
  },
  pushers: {
    name: 'causeway_pushers',
    kind: 'gauge',
    help: 'Pushers that people have set, and of these the ones whose gateway did not take what it was last sent',
  },
  pushTurns: {
    name: 'causeway_push_waiting_pushers',
    kind: 'gauge',
    help: 'Pushers that something is to be sent to: waiting for their turn, sending, asleep until the next attempt',
  },
  pushOldest: {
    name: 'causeway_push_oldest_seconds',
    kind: 'gauge',
    help: 'How long something has waited for a push gateway; those that are asleep apart, since they may be gone for good',
  },
  pushGatewayWaiting: {
    name: 'causeway_push_gateway_waiting_pushers',
    kind: 'gauge',
    help: 'Pushers asleep since their gateway did not take something: the ten gateways with the most, all others as "others"',
  },
  pushAttempts: {
    name: 'causeway_push_attempts_total',
    kind: 'counter',
    help: 'Attempts at notifications by outcome: sent, rejected (the pusher was deleted), refused, malformed, unreachable, given_up (the gateway called it wrong), fault (ours)',
  },
  pushDropped: {
    name: 'causeway_push_dropped_total',
    kind: 'counter',
    help: 'Pushers for which what waited was dropped, since their gateway took nothing for a day',
  },
  mailNotifications: {
    name: 'causeway_email_notifications_total',
    kind: 'counter',
    help: 'Mails of missed messages by outcome: sent, refused (by the mail server, of that mail), unreachable (the mail server was not reached), fault (ours); all but the first are tried again',
  },
  mailNotificationsWaiting: {
    name: 'causeway_email_notifications_waiting',
    kind: 'gauge',
    help: 'People who are told by e-mail of missed messages if they do not read them, and of these the ones whose last mail was refused',
  },
  textMessages: {
    name: 'causeway_sms_total',
    kind: 'counter',
    help: 'Text messages that somebody wanted by outcome: sent, refused (by the hook, for that number), failed (the hook was not reached or did not take it), limited (there were too many)',
  },
  edus: {
    name: 'causeway_federation_edus_total',
    kind: 'counter',
    help: 'Ephemeral data units that other servers sent, by type and by what became of them',
  },
} as const satisfies Record<string, MetricDeclaration>

/** Has `collect` asked for samples at every scrape. Nothing is kept and nothing costs between scrapes. */
export function registerMetric(
  registry: Registry,
  declaration: MetricDeclaration,
  collect: () => Iterable<Sample> | Promise<Iterable<Sample>>,
): void {
  const { name, help, kind } = declaration
  const metric = {
    name,
    help,
    get: async () => ({
      name,
      help,
      type: kind,
      aggregator: 'sum',
      values: Array.from(await collect(), ({ suffix = '', labels = {}, value }) => ({
        metricName: name + suffix,
        labels,
        value,
      })),
    }),
    reset: () => undefined,
  }
  registry.registerMetric(metric as unknown as Metric<string>)
}

/** A metric with one value and no labels. */
export function registerValue(registry: Registry, declaration: MetricDeclaration, read: () => number): void {
  registerMetric(registry, declaration, () => [{ value: read() }])
}

/** How often (ms) the event loop is looked at: often enough to see stalls, rarely enough to stay asleep when idle. */
const LAG_PRECISION_MS = 100

/** CPU, memory, garbage collection, event loop lag, open files: everything about the process itself. */
export function registerProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_PRECISION_MS })
}

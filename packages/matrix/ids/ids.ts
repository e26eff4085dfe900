/**
 * Branded identifiers: text that was parsed once, at the door. The parsers live beside this file
 * (`user-id.ts`, `room-id.ts`, …); nothing else may cast a string to one of these.
 * Grammar: https://spec.matrix.org/v1.19/appendices/#identifier-grammar
 */
declare const brand: unique symbol
type Brand<Name extends string> = string & { readonly [brand]: Name }

/** `@localpart:server.name` */
export type UserId = Brand<'UserId'>
/** `!opaque:server.name`, or since room version 12 `!<reference hash of the create event>` without a server. */
export type RoomId = Brand<'RoomId'>
/** `#alias:server.name` */
export type RoomAlias = Brand<'RoomAlias'>
/** `$opaque:server.name` (room versions 1 and 2) or `$<reference hash>`. */
export type EventId = Brand<'EventId'>
/** Host name or IP literal with an optional port. */
export type ServerName = Brand<'ServerName'>
/** One login of a user; opaque. */
export type DeviceId = Brand<'DeviceId'>
/** `algorithm:key_id`, for example `ed25519:a_1`. */
export type KeyId = Brand<'KeyId'>
/** `mxc://server.name/media_id` */
export type Mxc = Brand<'Mxc'>

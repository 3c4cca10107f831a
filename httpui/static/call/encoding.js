// How tracks are sent: which codec first, and how much of the uplink each takes.

/** @typedef {import('./uplink.js').Share} Share */

/** Bits per second that an uplink is taken for: enough for half a picture, and for finding out soon whether there is room for a whole one. */
export const ASSUMED_UPLINK = 600_000;
/** Video by the number of people it is sent to: a mesh divides the uplink. */
const VIDEO = [
  { maxBitrate: 1_700_000, scaleResolutionDownBy: 1 }, // 720p
  { maxBitrate: 800_000, scaleResolutionDownBy: 4 / 3 }, // 540p
  { maxBitrate: 450_000, scaleResolutionDownBy: 2 }, // 360p
];
/** How much of a picture's width and height is given up while a line has not shown that it has room. */
const HALF = 2;
/** What a line carries that hardly carries a picture. */
const SMALL = { maxBitrate: 100_000, maxFramerate: 12, scaleResolutionDownBy: 4 }; // 180p
/** A screen is read, so it keeps its resolution and gives up frames. */
const SCREEN = { maxBitrate: 1_700_000, maxFramerate: 15, scaleResolutionDownBy: 1 };
const SMALL_SCREEN = { ...SCREEN, maxBitrate: 100_000, maxFramerate: 2 };
/** Bits per second; where error correction is redundant audio, twice as many are sent. */
const AUDIO_BITRATE = { all: 40_000, half: 40_000, small: 16_000, sound: 32_000, voice: 16_000 };

/**
 * The codecs that are offered, as browsers name them. There are browsers that
 * have fifty, and every one makes descriptions longer; on a slow line each of
 * those takes seconds.
 */
const CODECS = /^(audio\/(opus|red)|video\/(vp8|rtx|red|ulpfec))$|^video\/vp9 (profile-id=0)?$|^video\/h264 (?=.*packetization-mode=1)(?=.*profile-level-id=42e0)/;

/** @param {RTCRtpCodec} codec */
const offered = ({ mimeType, sdpFmtpLine = '' }) => CODECS.test(mimeType.toLowerCase()) || CODECS.test(`${mimeType.toLowerCase()} ${sdpFmtpLine}`);

/**
 * Chooses and orders the codecs of a transceiver that has not been negotiated:
 * redundant audio first where there is any, and VP9 where the machine can afford it.
 * @param {RTCRtpTransceiver} transceiver
 */
export function prefer(transceiver) {
  const kind = transceiver.receiver.track.kind;
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs.filter(offered) ?? [];
  const first = kind === 'audio' ? 'audio/red' : strong() ? 'video/vp9' : 'video/vp8';
  const order = [...codecs.filter((c) => c.mimeType.toLowerCase() === first), ...codecs.filter((c) => c.mimeType.toLowerCase() !== first)];
  try {
    if (order.length > 0) transceiver.setCodecPreferences(order);
  } catch {
    // The browser's own order will do.
  }
}

/** VP9 costs about twice the processor time of VP8. */
const strong = () => (globalThis.navigator?.hardwareConcurrency ?? 0) >= 4 && !/Mobi|Android/.test(globalThis.navigator?.userAgent ?? '');

/** @param {number} receivers @returns {{maxBitrate: number, scaleResolutionDownBy: number}} of a whole picture */
const whole = (receivers) => VIDEO[Math.min(Math.max(receivers, 1), VIDEO.length) - 1] ?? SMALL;

/** @param {Share} share @param {number} receivers */
function pictureOf(share, receivers) {
  const { maxBitrate, scaleResolutionDownBy } = whole(receivers);
  if (share === 'all') return { maxBitrate, scaleResolutionDownBy };
  return share === 'half' ? { maxBitrate, scaleResolutionDownBy: HALF * scaleResolutionDownBy } : SMALL;
}

/** @param {Share} share @returns {boolean} whether it has no picture */
const pictureless = (share) => share === 'sound' || share === 'voice';

/** Whether a codec can be sent by itself; others repeat or protect what one of these sends. @param {RTCRtpCodec} codec */
const carriesPictures = ({ mimeType }) => /^video\/(vp8|vp9|h264)$/i.test(mimeType);

/** @param {Share} share half a screen cannot be read */
const screenOf = (share) => (share === 'all' || share === 'half' ? SCREEN : SMALL_SCREEN);

/** @param {number} receivers @returns {{half: number, whole: number}} bits per second that are room enough for a picture */
export const roomFor = (receivers) => ({ half: 1.5 * SMALL.maxBitrate, whole: whole(receivers).maxBitrate / 2 });

/**
 * What was lost of a picture is asked for again, and on a line that has become
 * weak its repetition takes the place of the sound for half a minute, long after
 * the picture has been paused. A sender that is set for another codec has
 * forgotten what it sent; a browser that does not know this repeats it.
 * (W3C webrtc-extensions, "RTCRtpEncodingParameters.codec")
 * @param {RTCRtpSender} sender @param {MediaStreamTrack} track that it sends or is about to
 * @param {{screen: boolean, receivers: number, share: Share, sent: boolean}} use sent: it may have sent something
 * @returns {Promise<boolean>} false if nothing is negotiated yet, or the browser refused, so that it must be done again
 */
export async function tune(sender, track, { screen, receivers, share, sent }) {
  const parameters = sender.getParameters();
  /** @type {(RTCRtpEncodingParameters & {codec?: RTCRtpCodec})[]} */
  const [encoding] = parameters.encodings ?? [];
  if (!encoding) return false;
  if (track.kind === 'audio') {
    Object.assign(encoding, { maxBitrate: AUDIO_BITRATE[share], priority: 'high', networkPriority: 'high' });
  } else {
    if (!pictureless(share)) delete encoding.codec;
    else if (sent) encoding.codec ??= (parameters.codecs ?? []).filter(carriesPictures)[1];
    Object.assign(encoding, { maxFramerate: 30, active: !pictureless(share) }, (screen ? screenOf : pictureOf)(share, receivers));
    parameters.degradationPreference = screen ? 'maintain-resolution' : 'maintain-framerate';
  }
  return sender.setParameters(parameters).then(() => true, () => false);
}

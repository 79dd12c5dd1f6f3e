import TapReporter from "./support/tap-reporter.mjs";

// 6 more, about reserved subscriptions, are off unless SUBSCRIPTIONS=1.
const planned = process.env.SUBSCRIPTIONS === "1" ? 338 : 332;

export default {
    // Nothing is written into the tree.
    cacheDir: process.env.VITE_CACHE,
    test: {
        include: ["protocol.suite.mjs"],
        reporters: [new TapReporter(planned)],
        silent: true,
        watch: false,
    },
};

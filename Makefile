# Sluice: `make help` lists the targets.
#
# Every folder's *.c files are found by themselves. BUILD names the output
# folder, so that each sanitizer and each compiler has its own.

BUILD    ?= build
SANITIZE ?=
JOBS     ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX   ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR  ?=
FUZZ_SECONDS ?= 600
# Only the tests whose path holds this text: make test T=ranges
T ?=

# Parallel by itself; a make that was started by make shares its jobs.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif
MAKEFLAGS += --no-print-directory

# Compiler and libraries.

ifeq ($(origin CC),default)
CC = gcc
endif
PKGS := libevent_core zlib libconfuse libcrypto yajl

WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
        -Wmissing-prototypes -Werror
SAN_address   := -fsanitize=address
SAN_undefined := -fsanitize=undefined -fno-sanitize-recover=all
SAN_thread    := -fsanitize=thread
SAN_fuzz      := -fsanitize=fuzzer-no-link,address,undefined \
                 -fno-sanitize-recover=all
SAN := $(SAN_$(SANITIZE))

ifeq ($(SANITIZE),)
OPT := -O2 -g -fstack-protector-strong
# The program is optimised as a whole; tests link the same objects as they are,
# for the linker's --wrap does not see into link-time code.
ifneq ($(findstring Free Software,$(shell $(CC) --version 2>/dev/null)),)
AR := gcc-ar
LTO_CFLAGS := -flto=auto -ffat-lto-objects
LTO_LDFLAGS := -flto=auto -O2
endif
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
HARDEN := -pie -Wl,-z,relro,-z,now
else
OPT := -O1 -g -fno-omit-frame-pointer -DSLUICE_DEBUG=1 $(SAN)
endif

# llhttp from pkg-config, else Debian 12's node-llhttp: sources that we compile.
# Strict mode is set for everything, so that nothing can miss it.
LLHTTP_SRC_DIR ?= /usr/share/llhttp
LLHTTP_INC_DIR ?= /usr/share/include/llhttp
ifeq ($(shell pkg-config --exists libllhttp 2>/dev/null && echo yes),yes)
PKGS += libllhttp
LLHTTP_SRC :=
else
LLHTTP_SRC := $(wildcard $(LLHTTP_SRC_DIR)/*.c)
LLHTTP_CPPFLAGS := -isystem $(LLHTTP_INC_DIR)
endif

FUSE_CFLAGS = $(shell pkg-config --cflags fuse3 2>/dev/null)
FUSE_LIBS = $(shell pkg-config --libs fuse3 2>/dev/null)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# wslay says nothing to pkg-config, nor its version to anybody.
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lwslay
CMOCKA_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)

CPPFLAGS_ALL = -I. -D_GNU_SOURCE -DLLHTTP_STRICT_MODE=1 $(LLHTTP_CPPFLAGS) \
                $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_BASE := -std=c11 $(OPT) $(LTO_CFLAGS) $(FORTIFY) -fPIE -pthread -MMD -MP
CFLAGS_ALL  = $(CFLAGS_BASE) $(WARN) $(CFLAGS)
LDFLAGS_ALL := -pthread $(SAN) $(HARDEN) $(LDFLAGS)
WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# Sources.

objs = $(patsubst %.c,$(BUILD)/%.o,$(1))
bins = $(patsubst %.c,$(BUILD)/%,$(1))
only = $(foreach t,$(1),$(if $(or $(if $(T),,all),$(findstring $(T),$(t))),$(t)))

BUFFERS_SRC := $(wildcard buffers/*.c)
PARSER_SRC  := $(wildcard parser/*.c)
HTTPD_SRC   := $(filter-out httpd/main.c,$(sort $(shell find httpd -name '*.c')))
# Each of these is a program, or goes into some programs only.
APART_SRC   := $(wildcard tests/support/slow_fs.c) tests/support/fail_nth.c
SUPPORT_SRC := $(filter-out $(APART_SRC),$(wildcard tests/support/*.c))
UNIT_SRC    := $(sort $(shell find tests/unit -name 'test_*.c' 2>/dev/null))
TORTURE_SRC := $(wildcard tests/torture/test_*.c)
MODEL_SRC   := $(wildcard tests/model/test_*.c)
CHECKER_SRC := $(filter-out $(MODEL_SRC),$(wildcard tests/model/*.c))
WIRE_SRC    := $(wildcard tests/wire/test_*.c)
CURL_TESTS  := $(wildcard tests/curl/test_*.sh) \
               $(wildcard tests/examples/test_*.sh) \
               $(wildcard tests/torture/test_*.sh) \
               $(wildcard tests/conformance/test_*.sh)
EXAMPLE_SRC := $(wildcard buffers/examples/*.c)
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC   := $(wildcard bench/*.c)
QUEUES_SRC  := $(wildcard bench/queues/*.c)
TRACE_SRC   := $(wildcard bench/trace/*.c)
CLIENT_SRC  := $(wildcard bench/client/*.c)
PRELOAD_SRC := $(wildcard bench/preload/*.c)

LIB_SRC := $(BUFFERS_SRC) $(PARSER_SRC) $(HTTPD_SRC)
OUR_SRC := $(LIB_SRC) httpd/main.c $(SUPPORT_SRC) $(UNIT_SRC) $(TORTURE_SRC) \
           $(WIRE_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(QUEUES_SRC) $(TRACE_SRC) \
           $(CLIENT_SRC) $(MODEL_SRC) $(CHECKER_SRC) $(EXAMPLE_SRC) $(APART_SRC) \
           $(PRELOAD_SRC)
OUR_H   := $(sort $(shell find buffers parser httpd tests bench \
             -name node_modules -prune -o -name '*.h' -print))

LLHTTP_OBJ := $(patsubst $(LLHTTP_SRC_DIR)/%.c,$(BUILD)/llhttp/%.o,$(LLHTTP_SRC))
LIBS := $(BUILD)/libhttpd.a $(BUILD)/libparser.a $(BUILD)/libbuffers.a
SUPPORT := $(if $(SUPPORT_SRC),$(BUILD)/libsupport.a)
TEST_BINS := $(call bins,$(UNIT_SRC) $(MODEL_SRC) $(TORTURE_SRC) $(WIRE_SRC))
EXAMPLE_BINS := $(call bins,$(EXAMPLE_SRC))
# The unit tests of buffers/ and of streams once more, with allocations that
# fail.
UNITS_SRC := $(filter $(foreach h,$(wildcard buffers/*.h),\
             $(h:buffers/%.h=tests/unit/test_%.c)) tests/unit/test_buffer_% \
             tests/unit/test_block_% tests/unit/test_monitor_% \
             tests/unit/test_shm_% tests/unit/test_write_% \
             tests/unit/test_memory_store.c tests/unit/test_stream.c \
             tests/unit/test_hub_memory.c tests/unit/test_producers.c \
             tests/unit/test_stream_reads.c tests/unit/test_view.c \
             tests/unit/test_view_ends.c,$(UNIT_SRC))
UNITS_BINS := $(patsubst tests/unit/%.c,$(BUILD)/tests/torture/units/%,$(UNITS_SRC))
BENCH_BINS := $(call bins,$(BENCH_SRC))

# The program.


.PHONY: all run test check asan ubsan tsan fuzz fuzz-programs lint bench \
        libbuffers install-buffers uninstall-buffers install uninstall clean help deps test-programs bench-programs \
        lint-format lint-layers lint-size lint-gcc lint-clang lint-tidy \
        lint-cppcheck lint-all objects

all: $(BUILD)/sluice

# A link group, because the three libraries and the test support may need each
# other's symbols in any order.
link = $(CC) $(1) -o $@ -Wl,--start-group $(2) -Wl,--end-group \
       $(LDFLAGS_ALL) $(if $(LTO_LDFLAGS),$(if $(findstring -flto,$(1)),,-fno-lto)) $(PKG_LIBS)

# `sluice --version` names what it was built with.
version_of = $(1) $(shell pkg-config --modversion $(2) 2>/dev/null)
LLHTTP_VERSION := $(if $(LLHTTP_SRC),$(shell awk '/define LLHTTP_VERSION_/ {\
  v = v s $$3; s = "."} END {print v}' $(LLHTTP_INC_DIR)/llhttp.h 2>/dev/null),\
  $(shell pkg-config --modversion libllhttp 2>/dev/null))
$(BUILD)/httpd/main.o: CPPFLAGS += -DSLUICE_LIBRARIES='"$(call version_of,libevent,libevent_core), \
llhttp $(LLHTTP_VERSION), $(call version_of,zlib,zlib), \
$(call version_of,libconfuse,libconfuse), $(call version_of,libyajl,yajl), wslay\n"'

$(BUILD)/sluice: $(BUILD)/httpd/main.o $(LIBS)
	@echo "  LINK $@"
	@$(call link,$< $(LTO_LDFLAGS),$(LIBS))

archive = @echo "  AR   $@"; rm -f $@; $(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/libbuffers.a: $(call objs,$(BUFFERS_SRC))
	$(archive)
$(BUILD)/libparser.a: $(call objs,$(PARSER_SRC)) $(LLHTTP_OBJ)
	$(archive)
$(BUILD)/libhttpd.a: $(call objs,$(HTTPD_SRC))
	$(archive)
$(BUILD)/libsupport.a: $(call objs,$(SUPPORT_SRC))
	$(archive)

# The library alone.

libbuffers: $(BUILD)/libbuffers.a

$(BUILD)/buffers/examples/%: $(BUILD)/buffers/examples/%.o $(BUILD)/libbuffers.a
	@echo "  LINK $@"
	@$(call link,$<,$(BUILD)/libbuffers.a)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $< -o $@

# Inlined into its callers, a copy of elements of any size is taken for one that
# overflows theirs.
$(BUILD)/buffers/buffer_%.o: CFLAGS += -fno-lto

$(BUILD)/llhttp/%.o: $(LLHTTP_SRC_DIR)/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_BASE) -w $(CFLAGS) -c $< -o $@

run:
	@tools/install-deps build
	@$(MAKE) all
	@tools/serve-demo $(BUILD)/sluice serve -c conf/sluice.conf

deps:
	@tools/install-deps build test bench lint

# Tests.

# A test that does not look at a result fails at what comes after.
$(BUILD)/tests/%.o: WARN += -Wno-unused-result

$(BUILD)/tests/torture/units/%: $(BUILD)/tests/unit/%.o \
                                $(BUILD)/tests/support/fail_nth.o $(LIBS) $(SUPPORT)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(call link,$(filter %.o,$^),$(SUPPORT) $(LIBS)) $(CMOCKA_LIBS) $(WRAP)

$(BUILD)/tests/torture/%: $(BUILD)/tests/torture/%.o $(LIBS) $(SUPPORT)
	@echo "  LINK $@"
	@$(call link,$<,$(SUPPORT) $(LIBS)) $(CMOCKA_LIBS) $(WRAP)

$(BUILD)/tests/model/%: $(BUILD)/tests/model/%.o $(call objs,$(CHECKER_SRC)) \
                        $(LIBS) $(SUPPORT)
	@echo "  LINK $@"
	@$(call link,$(filter %.o,$^),$(SUPPORT) $(LIBS)) $(CMOCKA_LIBS)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIBS) $(SUPPORT)
	@echo "  LINK $@"
	@$(call link,$<,$(SUPPORT) $(LIBS)) $(CMOCKA_LIBS)

.SECONDARY:

# The disk that can be held: a program of its own, needed by tests and bench.
SLOW_FS := $(BUILD)/tests/support/slow_fs
$(SLOW_FS).o: PKG_CFLAGS += $(FUSE_CFLAGS)
$(SLOW_FS): $(SLOW_FS).o
	@echo "  LINK $@"
	@$(CC) $< -o $@ $(LDFLAGS_ALL) $(if $(LTO_LDFLAGS),-fno-lto) $(FUSE_LIBS)

test-programs: $(BUILD)/sluice $(TEST_BINS) $(EXAMPLE_BINS) $(UNITS_BINS) \
               $(SLOW_FS)

# Builds and runs without looking for packages.
check: test-programs
	@SLUICE=$(abspath $(BUILD))/sluice SLUICE_BUILD=$(abspath $(BUILD)) \
	 SLUICE_SANITIZER=$(SANITIZE) tests/run \
	 $(call only,$(TEST_BINS) $(CURL_TESTS))

test:
	@tools/install-deps test
	@$(MAKE) check

asan:
	@tools/install-deps test
	@$(MAKE) check BUILD=build-asan SANITIZE=address

ubsan:
	@tools/install-deps test
	@$(MAKE) check BUILD=build-ubsan SANITIZE=undefined

tsan:
	@tools/install-deps test
	@$(MAKE) check BUILD=build-tsan SANITIZE=thread

# The corpus stays in build-fuzz/corpus; tests/fuzz/seeds/NAME starts it.
fuzz:
	@tools/install-deps build lint
	@$(MAKE) fuzz-programs BUILD=build-fuzz SANITIZE=fuzz CC=clang
	@tools/fuzz build-fuzz $(FUZZ_SECONDS)

fuzz-programs: $(call bins,$(FUZZ_SRC))

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIBS)
	@echo "  LINK $@"
	@$(CC) $< -o $@ -fsanitize=fuzzer,address,undefined -pthread $(LDFLAGS) \
	 -Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS)

# Bench.

$(BUILD)/bench/buffers: $(call objs,$(QUEUES_SRC))
$(BUILD)/bench/pools: $(call objs,$(TRACE_SRC))
$(BUILD)/bench/fanout_load $(BUILD)/bench/append_load \
 $(BUILD)/bench/flood_load: $(call objs,$(CLIENT_SRC))
# Optimised as a whole, as the server is that the pools serve.
$(BUILD)/bench/pools: BENCH_LTO := $(LTO_LDFLAGS)

# Writes down what a program allocates; for bench/pool-trace.
$(BUILD)/bench/%.so: bench/preload/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS_ALL) -std=c11 -O2 -g -fPIC -fno-builtin -shared $(WARN) \
	 $< -o $@

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIBS)
	@echo "  LINK $@"
	@$(call link,$(filter %.o,$^) $(BENCH_LTO),$(LIBS)) -lm

bench-programs: $(BUILD)/sluice $(BENCH_BINS) $(SLOW_FS) \
                $(patsubst bench/preload/%.c,$(BUILD)/bench/%.so,$(PRELOAD_SRC))

bench:
	@tools/install-deps build bench
	@$(MAKE) bench-programs
	@SLUICE=$(abspath $(BUILD))/sluice SLUICE_BUILD=$(abspath $(BUILD)) \
	 bench/scorecard

# Lint.

lint:
	@tools/install-deps test lint
	@$(MAKE) -k lint-all
	@echo "lint: clean"

lint-all: lint-format lint-layers lint-size lint-gcc lint-clang lint-tidy \
          lint-cppcheck

lint-format:
	@echo "  FORMAT"
	@clang-format --dry-run -Werror $(OUR_SRC) $(OUR_H)

lint-layers:
	@tools/check-includes

lint-size:
	@tools/check-size

lint-gcc: test-programs bench-programs

# The fuzz programs have no main, so they are compiled and not linked.
lint-clang:
	@$(MAKE) BUILD=build-clang CC=clang objects

objects: $(call objs,$(OUR_SRC))

# One stamp per source file, newer than its object: what did not change, with
# the headers that it includes, is not looked at again.
lint-tidy: $(patsubst %.c,$(BUILD)/tidy/%.ok,$(OUR_SRC))

$(BUILD)/tidy/%.ok: $(BUILD)/%.o .clang-tidy
	@mkdir -p $(@D)
	@echo "  TIDY $*.c"
	@clang-tidy --quiet $*.c -- $(CPPFLAGS_ALL) -std=c11 $(WARN) \
	 2>$@.err || { cat $@.err >&2; exit 1; }
	@rm -f $@.err; touch $@

lint-cppcheck:
	@echo "  CPPCHECK"
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck -q -j $(JOBS) --cppcheck-build-dir=$(BUILD)/cppcheck --std=c11 \
	 --enable=warning,performance,portability --inline-suppr \
	 --suppressions-list=tools/cppcheck-suppressions --error-exitcode=1 \
	 -I. -D_GNU_SOURCE -D__x86_64__ $(LIB_SRC) httpd/main.c

# Install.

SHARE := $(PREFIX)/share/sluice
UNITS := $(PREFIX)/lib/systemd/system

# A configuration that is there already is the operator's: it stays.
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SHARE) $(DESTDIR)$(UNITS) \
	 $(DESTDIR)$(SYSCONFDIR)/sluice
	install -m 755 $(BUILD)/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	rm -rf $(DESTDIR)$(SHARE)/www
	cp -R www $(DESTDIR)$(SHARE)/www
	chmod -R u=rwX,go=rX $(DESTDIR)$(SHARE)/www
	install -m 644 conf/mime.types $(DESTDIR)$(SYSCONFDIR)/sluice/mime.types
	sed 's|"../www"|"$(SHARE)/www"|' conf/sluice.conf \
	 >$(DESTDIR)$(SYSCONFDIR)/sluice/sluice.conf.example
	[ -e $(DESTDIR)$(SYSCONFDIR)/sluice/sluice.conf ] || \
	 cp $(DESTDIR)$(SYSCONFDIR)/sluice/sluice.conf.example \
	 $(DESTDIR)$(SYSCONFDIR)/sluice/sluice.conf
	sed 's|@BINDIR@|$(PREFIX)/bin|; s|@SYSCONFDIR@|$(SYSCONFDIR)|' \
	 conf/sluice.service >$(DESTDIR)$(UNITS)/sluice.service

# The library alone: #include "buffers/buffer.h" by pkg-config sluice-buffers.
# What only the library's own files include stays here.
BUFFERS_H := $(filter-out %_inner.h %_layout.h %_ways.h buffers/spin_lock.h \
             buffers/wait_list.h,$(wildcard buffers/*.h))
BUFFERS_INCLUDE := $(PREFIX)/include/sluice/buffers
BUFFERS_PC := $(PREFIX)/lib/pkgconfig/sluice-buffers.pc
install-buffers: libbuffers
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(BUFFERS_INCLUDE)
	install -m 644 $(BUILD)/libbuffers.a $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(BUFFERS_H) buffers/*.def $(DESTDIR)$(BUFFERS_INCLUDE)
	sed 's|@PREFIX@|$(PREFIX)|' buffers/sluice-buffers.pc.in \
	 >$(DESTDIR)$(BUFFERS_PC)

uninstall-buffers:
	rm -rf $(DESTDIR)$(BUFFERS_INCLUDE)
	rm -f $(DESTDIR)$(PREFIX)/lib/libbuffers.a $(DESTDIR)$(BUFFERS_PC)

# sluice.conf stays for the same reason.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/sluice $(DESTDIR)$(UNITS)/sluice.service \
	 $(DESTDIR)$(SYSCONFDIR)/sluice/mime.types \
	 $(DESTDIR)$(SYSCONFDIR)/sluice/sluice.conf.example
	rm -rf $(DESTDIR)$(SHARE)

clean:
	rm -rf build build-asan build-ubsan build-tsan build-fuzz build-clang

help:
	@echo "make            build build/sluice"
	@echo "make run        install what is missing, build, serve www/ on 8080"
	@echo "make test       install what is missing, build, run every test"
	@echo "make check      the same without looking for packages; T=text picks"
	@echo "make asan       all tests with the address sanitizer (ubsan, tsan)"
	@echo "make fuzz       fuzz what reads from the network for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make lint       layout, layers, sizes, two compilers, two checkers"
	@echo "make bench      the scorecard against other servers"
	@echo "make deps       install what all of the above need"
	@echo "make libbuffers the buffer library alone; install-buffers installs it"
	@echo "make install    to DESTDIR= PREFIX=$(PREFIX); also uninstall"
	@echo "make clean      remove every build folder"
	@echo "BUILD=folder builds elsewhere, CC= picks the compiler, JOBS=$(JOBS)"

-include $(patsubst %.o,%.d,$(call objs,$(OUR_SRC)) $(LLHTTP_OBJ))

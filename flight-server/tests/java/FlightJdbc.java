import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;

/**
 * The Arrow Flight SQL JDBC driver against a server without credentials: {@code FlightJdbc HOST:PORT}.
 *
 * <p>Faults of the driver that no server avoids are not looked at: it lists the columns of an empty
 * result twice, says that nothing is nullable, and reports leaks when a result is open at close.
 */
public final class FlightJdbc {
    private static final String TABLE = "jdbc_flight";
    private static final String ENDLESS = "SELECT value FROM generate_series(1, 1000000000000)";

    private final Checks checks = new Checks();
    private final String url;

    private FlightJdbc(String address) {
        url = "jdbc:arrow-flight-sql://" + address + "/?useEncryption=false";
    }

    public static void main(String[] arguments) throws Exception {
        FlightJdbc run = new FlightJdbc(arguments[0]);
        try (Connection db = run.connect("")) {
            run.effects(db);
            Metadata.getters(run.checks, db);
            Metadata.tables(run.checks, db, TABLE);
            run.results(db);
            run.types(db);
            run.parameters(db);
            run.limits(db);
            run.sessions(db);
            run.update(db, "DROP TABLE " + TABLE);
        }
        run.checks.end();
    }

    private Connection connect(String options) throws Exception {
        return DriverManager.getConnection(url + options, new Properties());
    }

    private int update(Connection db, String sql) throws Exception {
        try (Statement statement = db.createStatement()) {
            return statement.executeUpdate(sql);
        }
    }

    private void effects(Connection db) throws Exception {
        update(db, "DROP TABLE IF EXISTS " + TABLE);
        checks.check("executeUpdate creates", () ->
            update(db, "CREATE TABLE " + TABLE + " (id BIGINT, message VARCHAR, at TIMESTAMP)"));
        checks.check("executeUpdate counts", () -> Checks.same(3, update(db, "INSERT INTO " + TABLE
            + " VALUES (1, 'one', '2026-02-05T12:30:15'), (2, NULL, NULL), (3, 'three', NULL)")));
        checks.check("execute tells results from effects", () -> {
            try (Statement statement = db.createStatement()) {
                Checks.same(true, statement.execute("SELECT 1"));
                Checks.same(false, statement.execute("INSERT INTO " + TABLE + " (id) VALUES (4)"));
                Checks.same(1, statement.getUpdateCount());
                Checks.same(4, Checks.count(statement.executeQuery("SELECT id FROM " + TABLE)));
            }
        });
        checks.check("executeBatch of a prepared statement", () -> {
            try (PreparedStatement insert = db.prepareStatement("INSERT INTO " + TABLE + " (id, message) VALUES (?, ?)")) {
                for (int number = 10; number < 15; number++) {
                    insert.setLong(1, number);
                    insert.setString(2, "batch " + number);
                    insert.addBatch();
                }
                insert.executeBatch();
            }
            try (Statement statement = db.createStatement()) {
                String sql = "SELECT message FROM " + TABLE + " WHERE id >= 10 ORDER BY id";
                Checks.same("batch 14", Checks.column(statement.executeQuery(sql), 1).get(4));
            }
        });
        checks.check("a prepared update", () -> {
            try (PreparedStatement insert = db.prepareStatement("INSERT INTO " + TABLE + " (id) VALUES (?)")) {
                insert.setLong(1, 20);
                Checks.same(1, insert.executeUpdate());
            }
        });
    }

    private void results(Connection db) throws Exception {
        checks.check("SELECT 1", () -> Checks.same(List.of(1L), rows(db, "SELECT 1")));
        checks.check("names and types of columns", () -> {
            try (Statement statement = db.createStatement();
                ResultSet rows = statement.executeQuery("SELECT id AS number, message FROM " + TABLE + " WHERE id = 1")) {
                ResultSetMetaData data = rows.getMetaData();
                Checks.same(2, data.getColumnCount());
                Checks.same("number", data.getColumnLabel(1));
                Checks.same(Types.BIGINT, data.getColumnType(1));
                Checks.same(Types.VARCHAR, data.getColumnType(2));
                Checks.same(2, rows.findColumn("message"));
            }
        });
        checks.check("NULL", () -> {
            try (Statement statement = db.createStatement();
                ResultSet rows = statement.executeQuery("SELECT message, NULL FROM " + TABLE + " WHERE id = 2")) {
                rows.next();
                Checks.same(null, rows.getString(1));
                Checks.holds("it was null", rows.wasNull());
                Checks.same(null, rows.getObject(2));
            }
        });
        checks.check("SELECT * through getObject", () ->
            every(db, "SELECT * FROM " + TABLE + " ORDER BY id"));
        checks.check("SELECT * of a system table through getObject", () -> every(db, "SELECT * FROM system.functions"));
        checks.check("SHOW TABLES, DESCRIBE and EXPLAIN through getObject", () -> {
            every(db, "SHOW TABLES");
            every(db, "DESCRIBE " + TABLE);
            every(db, "EXPLAIN SELECT * FROM " + TABLE);
        });
        checks.check("an empty result", () -> Checks.same(List.of(), rows(db, "SELECT id FROM " + TABLE + " WHERE false")));
        checks.check("two open results of one connection", () -> {
            try (Statement one = db.createStatement(); Statement two = db.createStatement();
                ResultSet first = one.executeQuery("SELECT value FROM generate_series(1, 100000)");
                ResultSet second = two.executeQuery("SELECT value FROM generate_series(1, 100000)")) {
                while (first.next()) {
                    Checks.holds("both go on", second.next());
                    Checks.same(first.getLong(1), second.getLong(1));
                }
            }
        });
        for (String sql : List.of("SELEC 1", "SELECT no_such_column FROM " + TABLE, "SELECT * FROM no_such_table")) {
            String named = sql.equals("SELEC 1") ? "SELEC" : sql.contains("column") ? "no_such_column" : "no_such_table";
            checks.check("the error of " + sql, () -> {
                String message = Checks.fails(() -> rows(db, sql));
                Checks.holds(named + " in " + message, message.contains(named));
                Checks.same(List.of(1L), rows(db, "SELECT 1"));
            });
        }
    }

    private void types(Connection db) {
        Timestamp noon = Timestamp.valueOf("2026-02-05 12:30:15");
        value(db, "arrow_cast(255, 'UInt8')", 255L);
        value(db, "arrow_cast(65535, 'UInt16')", 65535L);
        value(db, "arrow_cast(4294967295, 'UInt32')", 4294967295L);
        value(db, "arrow_cast(-5, 'Int8')", -5L);
        value(db, "1.5e0", 1.5);
        value(db, "arrow_cast(1.5, 'Float16')", 1.5);
        value(db, "CAST(1.25 AS DECIMAL(10, 2))", new BigDecimal("1.25"));
        value(db, "true", true);
        value(db, "'text'", "text");
        value(db, "arrow_cast('view', 'Utf8View')", "view");
        value(db, "arrow_cast('word', 'Dictionary(Int32, Utf8)')", "word");
        value(db, "arrow_cast('large', 'LargeUtf8')", "large");
        value(db, "arrow_cast('ab', 'Binary')", "ab".getBytes());
        value(db, "DATE '2026-02-05'", Date.valueOf("2026-02-05"));
        value(db, "TIME '12:30:15'", Time.valueOf("12:30:15"));
        for (String unit : List.of("Second", "Millisecond", "Microsecond", "Nanosecond")) {
            value(db, "arrow_cast('2026-02-05T12:30:15', 'Timestamp(" + unit + ", None)')", noon);
            value(db, "arrow_cast('2026-02-05T12:30:15Z', 'Timestamp(" + unit + ", Some(\"UTC\"))')", noon);
        }
        String at = "arrow_cast('2026-02-05T12:30:15Z', 'Timestamp(Microsecond, Some(\"UTC\"))')";
        checks.check("getTimestamp, getString and LocalDateTime of a timestamp", () -> {
            try (Statement statement = db.createStatement(); ResultSet rows = statement.executeQuery("SELECT " + at)) {
                rows.next();
                Checks.same(noon, rows.getTimestamp(1));
                Checks.holds(rows.getString(1), rows.getString(1).startsWith("2026-02-05"));
                Checks.same(LocalDateTime.of(2026, 2, 5, 12, 30, 15), rows.getObject(1, LocalDateTime.class));
            }
        });
        for (String nested : List.of("[1, 2]", "named_struct('a', 1, 'b', 'x')", "MAP {'k': 1}", "[named_struct('a', 1)]",
            "arrow_cast([1.5, 2.5], 'FixedSizeList(2, Float32)')", "INTERVAL '1 day'",
            "arrow_cast(3, 'Duration(Second)')")) {
            checks.check("getObject of " + nested, () -> {
                try (Statement statement = db.createStatement(); ResultSet rows = statement.executeQuery("SELECT " + nested)) {
                    rows.next();
                    Checks.holds("a value", rows.getObject(1) != null);
                    rows.getString(1);
                }
            });
        }
    }

    /** The value of an expression, through getObject; numbers in any class that holds them. */
    private void value(Connection db, String sql, Object wanted) {
        checks.check("getObject of " + sql, () -> {
            Object found = rows(db, "SELECT " + sql).get(0);
            if (wanted instanceof Long || wanted instanceof Double) {
                Checks.holds(found + " is no number", found instanceof Number);
                Checks.same(((Number) wanted).doubleValue(), ((Number) found).doubleValue());
            } else if (wanted instanceof byte[]) {
                Checks.holds(found + " are other bytes", Arrays.equals((byte[]) wanted, (byte[]) found));
            } else {
                Checks.same(wanted, found);
            }
        });
    }

    private interface Setter {
        void set(PreparedStatement statement) throws Exception;
    }

    private void parameters(Connection db) {
        Timestamp noon = Timestamp.valueOf("2026-02-05 12:30:15");
        parameter(db, "setByte", "CAST(? AS BIGINT)", s -> s.setByte(1, (byte) 7), "7");
        parameter(db, "setShort", "CAST(? AS BIGINT)", s -> s.setShort(1, (short) 7), "7");
        parameter(db, "setInt", "CAST(? AS BIGINT)", s -> s.setInt(1, 7), "7");
        parameter(db, "setInt of an INT", "CAST(? AS INT)", s -> s.setInt(1, 7), "7");
        parameter(db, "setLong", "CAST(? AS BIGINT)", s -> s.setLong(1, 7L), "7");
        parameter(db, "setFloat", "CAST(? AS DOUBLE)", s -> s.setFloat(1, 1.5f), "1.5");
        parameter(db, "setDouble", "CAST(? AS DOUBLE)", s -> s.setDouble(1, 1.5), "1.5");
        parameter(db, "setBigDecimal", "CAST(? AS DECIMAL(10, 2))", s -> s.setBigDecimal(1, new BigDecimal("1.25")), "1.25");
        parameter(db, "setBoolean", "CAST(? AS BOOLEAN)", s -> s.setBoolean(1, true), "true");
        parameter(db, "setString", "CAST(? AS VARCHAR)", s -> s.setString(1, "x"), "x");
        parameter(db, "setString without a type", "?", s -> s.setString(1, "x"), "x");
        parameter(db, "setString in a function", "upper(?)", s -> s.setString(1, "x"), "X");
        parameter(db, "setNull", "CAST(? AS BIGINT)", s -> s.setNull(1, Types.BIGINT), null);
        parameter(db, "setObject", "CAST(? AS BIGINT)", s -> s.setObject(1, 7L), "7");
        parameter(db, "setDate", "CAST(? AS DATE)", s -> s.setDate(1, Date.valueOf("2026-02-05")), "2026-02-05");
        parameter(db, "setTimestamp", "CAST(? AS TIMESTAMP) = TIMESTAMP '2026-02-05T12:30:15'", s -> s.setTimestamp(1, noon), "true");
        parameter(db, "setTimestamp of a column",
            "(SELECT id FROM " + TABLE + " WHERE at = ?)", s -> s.setTimestamp(1, noon), "1");
        parameter(db, "setTimestamp in arithmetic",
            "(SELECT id FROM " + TABLE + " WHERE at > ? - INTERVAL '1 day' AND id = 1)", s -> s.setTimestamp(1, noon), "1");
        parameter(db, "setBytes", "CAST(? AS BYTEA) = arrow_cast('ab', 'Binary')", s -> s.setBytes(1, "ab".getBytes()), "true");
        parameter(db, "setInt of LIMIT", "count(*) FROM (SELECT 1 FROM " + TABLE + " LIMIT ?)", s -> s.setInt(1, 2), "2");
        parameter(db, "twelve parameters", "concat(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", s -> {
            for (int at = 1; at <= 12; at++) {
                s.setString(at, Character.toString('a' + at - 1));
            }
        }, "abcdefghijkl");
        checks.check("a prepared query is run again", () -> {
            try (PreparedStatement query = db.prepareStatement("SELECT message FROM " + TABLE + " WHERE id = ?")) {
                for (int number : new int[] {1, 3, 1}) {
                    query.setLong(1, number);
                    Checks.same(number == 1 ? "one" : "three", Checks.column(query.executeQuery(), 1).get(0));
                }
            }
        });
        checks.check("getParameterMetaData", () -> {
            try (PreparedStatement query = db.prepareStatement("SELECT 1 FROM " + TABLE + " WHERE id = ? AND message = ?")) {
                Checks.same(2, query.getParameterMetaData().getParameterCount());
                Checks.same(Types.BIGINT, query.getParameterMetaData().getParameterType(1));
            }
        });
        checks.check("the columns of a prepared query before it is run", () -> {
            try (PreparedStatement query = db.prepareStatement("SELECT id, message FROM " + TABLE)) {
                Checks.same(2, query.getMetaData().getColumnCount());
                Checks.same("message", query.getMetaData().getColumnName(2));
            }
        });
    }

    private void parameter(Connection db, String name, String sql, Setter setter, String wanted) {
        checks.check(name, () -> {
            try (PreparedStatement query = db.prepareStatement("SELECT " + sql)) {
                setter.set(query);
                try (ResultSet rows = query.executeQuery()) {
                    rows.next();
                    Checks.same(wanted, rows.getString(1));
                }
            }
        });
    }

    private void limits(Connection db) {
        checks.check("more rows than memory holds", () -> {
            String sql = "SELECT value, 'a line of a log, number ' || value AS line FROM generate_series(1, 2000000)";
            try (Statement statement = db.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
                int count = 0;
                while (rows.next()) {
                    count++;
                }
                Checks.same(2_000_000, count);
            }
        });
        checks.check("setMaxRows", () -> {
            try (Statement statement = db.createStatement()) {
                statement.setMaxRows(10);
                Checks.same(10, Checks.count(statement.executeQuery("SELECT value FROM generate_series(1, 1000)")));
            }
        });
        checks.check("setFetchSize", () -> {
            try (Statement statement = db.createStatement()) {
                statement.setFetchSize(10);
                Checks.same(1000, Checks.count(statement.executeQuery("SELECT value FROM generate_series(1, 1000)")));
            }
        });
        checks.check("cancel", () -> {
            try (Statement statement = db.createStatement()) {
                ResultSet rows = statement.executeQuery(ENDLESS);
                rows.next();
                new Thread(() -> {
                    try {
                        statement.cancel();
                    } catch (Exception failure) {
                        failure.printStackTrace();
                    }
                }).start();
                Checks.fails(() -> {
                    while (rows.next()) {
                        rows.getLong(1);
                    }
                });
            }
            Checks.same(List.of(1L), rows(db, "SELECT 1"));
        });
        checks.check("a statement closed with an open result", () -> {
            try (Statement statement = db.createStatement()) {
                statement.executeQuery(ENDLESS).next();
            }
            Checks.same(List.of(1L), rows(db, "SELECT 1"));
        });
        checks.check("setQueryTimeout lets quick queries be", () -> {
            try (Statement statement = db.createStatement()) {
                statement.setQueryTimeout(30);
                Checks.same(1, Checks.count(statement.executeQuery("SELECT 1")));
            }
        });
    }

    private void sessions(Connection db) {
        checks.check("getCatalog and getSchema", () -> {
            db.getCatalog();
            db.getSchema();
        });
        checks.check("catalog= in the address", () -> {
            Connection other = connect("&catalog=sluice");
            Checks.same(List.of(1L), rows(other, "SELECT 1"));
            try {
                other.close();
            } catch (SQLException fault) {
                // The driver ends the session a second time, over the channel that it has shut by then.
                Checks.holds(fault.toString(), fault.getMessage().contains("Channel shutdown"));
            }
        });
        checks.check("setCatalog", () -> {
            try (Connection other = connect("")) {
                other.setCatalog("sluice");
                Checks.same(List.of(1L), rows(other, "SELECT 1"));
            }
        });
        checks.check("an unknown catalog= is refused", () -> {
            String message = Checks.fails(() -> connect("&catalog=no_such_catalog").close());
            Checks.holds(message, message.contains("catalog"));
        });
        checks.check("isValid, isReadOnly and getAutoCommit", () -> {
            Checks.holds("valid", db.isValid(5));
            db.isReadOnly();
            Checks.same(true, db.getAutoCommit());
        });
        checks.check("fifty connections", () -> {
            for (int number = 0; number < 50; number++) {
                try (Connection other = connect("")) {
                    Checks.same(List.of(1L), rows(other, "SELECT 1"));
                }
            }
        });
    }

    private static List<Object> rows(Connection db, String sql) throws Exception {
        try (Statement statement = db.createStatement()) {
            return Checks.column(statement.executeQuery(sql), 1);
        }
    }

    /** Every column of every row gives an object, as in a grid of a generic tool. */
    private static void every(Connection db, String sql) throws Exception {
        try (Statement statement = db.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            int columns = rows.getMetaData().getColumnCount();
            int count = 0;
            while (rows.next()) {
                for (int column = 1; column <= columns; column++) {
                    rows.getObject(column);
                    rows.getString(column);
                }
                count++;
            }
            Checks.holds("rows", count > 0);
        }
    }
}
